"""The page on pull requests: its pipeline does what it says, and its lines and messages are the real ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dockercise_prefect.hosts.pull_requests import PullRequests
from dockercise_prefect.pipeline.conditions import skipped_beforehand
from dockercise_prefect.pipeline.run_context import RunContext, RunEvent
from tests.compiler.sources import compiled
from tests.test_user_pages import blocks
from tests.test_webhook_page import alike
from tests.webhook.payloads import github_sent
from tests.webhook.pull_request_payloads import github_pull_request
from tests.webhook.receiving import Receiving
from tests.webhook.scripted_world import ScriptedWorld
from tests.webhook.world import eventually

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/pull-requests.md").read_text()
_VARYING = r"…|\b7\b|waits: |into main|no deployment waits for|of forks|(?=into this branch)"
CODE = "\n".join(path.read_text() for path in (ROOT / "dockercise_prefect").rglob("*.py"))


@pytest.mark.parametrize(
    ("context", "skipped"),
    [
        (RunContext(event=RunEvent.PULL_REQUEST, pull_request="7", source_branch="topic", target_branch="main"), {"deploy"}),
        (RunContext(event=RunEvent.PULL_REQUEST, pull_request="7", target_branch="next"), {"preview", "deploy"}),
        (RunContext(event=RunEvent.PUSH, branch="main"), {"preview"}),
    ],
)
def test_what_runs(context: RunContext, skipped: set[str]) -> None:
    """The stages of the example run and are skipped as the page says."""
    (example,) = blocks(PAGE, "yaml")

    assert {*skipped_beforehand(compiled(example=example), context, [])} == skipped


def test_the_log_of_a_fork(world: ScriptedWorld, receiver: Receiving) -> None:
    """The lines on the page are those of a fork's pull request."""
    (shown,) = blocks(PAGE, "text")
    world.register("acme/infra", name="infra", pull_requests=PullRequests.ALL)
    head = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
    sent = github_sent(github_pull_request(head=head, source="eve/infra"), event="pull_request")

    receiver.deliver(sent)
    eventually(lambda: receiver.logged("waits for a maintainer's yes"))

    about = [line for line in receiver.log if "pull request" in line]
    assert sorted(map(alike, about)) == sorted(
        alike(line.replace("infra/infra", "registered/infra")) for line in shown.splitlines()
    )


def test_every_message_exists() -> None:
    """The texts in the table of problems are in the code."""
    table = PAGE.partition("## When something is wrong")[2]
    quoted = [text for text in re.findall(r"^\|[^|]*?`([^`]+)`", table, re.MULTILINE) if not text.startswith("DK")]
    pieces = [piece.strip() for text in quoted for piece in re.split(_VARYING, text)]

    assert len(quoted) > 7
    assert [piece for piece in pieces if piece not in CODE] == []
