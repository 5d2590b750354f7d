"""The page on webhooks: its commands work, its answers are the real ones, and its tables are complete."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from dockercise_prefect.webhook.receiver.body import LARGEST
from dockercise_prefect.webhook.receiver.hub import RunState
from dockercise_prefect.webhook.receiver.intake import Result
from tests.test_user_pages import blocks
from tests.webhook.command import Command, running
from tests.webhook.payloads import SECRET, github_push, github_sent
from tests.webhook.receiving import Receiving, receiving
from tests.webhook.scripted_world import ScriptedWorld
from tests.webhook.world import eventually

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/webhook.md").read_text()
PORT = 8200
_VARYING = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r"127\.0\.0\.1:\d+", "PLACE"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "RUN"),
    (r"\d+\.\d ms", "MS"),
]


def alike(text: str) -> str:
    """A line without the parts that differ from run to run."""
    for pattern, word in _VARYING:
        text = re.sub(pattern, word, text)
    return text


def test_what_the_command_prints(tmp_path: Path) -> None:
    """The lines on the page are the lines of a push from the first to the last."""
    (shown,) = blocks(PAGE, "text")
    world = ScriptedWorld(tmp_path / "world")
    world.register("acme/infra", secret=None, name="infra")
    payload = github_push("acme/infra", after="6113728f27ae82c7b1a177c8d03f9e96e0adf246")
    sent = github_sent(payload)

    with running(
        tmp_path / "world", tmp_path / "data", "--port", "0", environment={"DOCKERCISE_WEBHOOK_SECRET": SECRET}
    ) as command:
        url = _started(command)
        httpx.post(url, content=sent.body, headers=dict(sent.headers), trust_env=False)
        command.line("started all")
        world.end(payload["after"], RunState.SUCCESS)
        command.line("passed")

    assert sorted(map(alike, command.lines)) == sorted(map(alike, shown.splitlines()))


def test_the_ping_by_hand(tmp_path: Path) -> None:
    """The commands on the page send a signed ping, and receive the answer on the page."""
    (script,) = blocks(PAGE, "sh")
    answer = blocks(PAGE, "json")[0]
    world = ScriptedWorld(tmp_path / "world")
    world.register("acme/infra", secret=None)

    with receiving(world.hub, tmp_path / "data", own_secret=SECRET) as receiver:
        eventually(lambda: receiver.logged("1 deployment waits"))
        typed = script.replace(f"http://127.0.0.1:{PORT}", receiver.url)
        done = subprocess.run(
            ["sh", "-c", typed],
            env={**os.environ, "DOCKERCISE_WEBHOOK_SECRET": SECRET, "no_proxy": "*"},
            capture_output=True,
            text=True,
            check=True,
        )

    assert json.loads(done.stdout) == json.loads(answer)


def test_the_answers() -> None:
    """The table has every possible answer with its status, and no other."""
    listed = re.findall(r"^\| (\d{3}) \| `([a-z ]+)` \|", PAGE, re.MULTILINE)

    assert [(int(status), result) for status, result in listed] == sorted(
        ((result.status, result.value) for result in Result), key=lambda pair: (pair[0] // 100 != 2, pair[0] != 202, pair[0])
    )


def test_health_and_metrics(tmp_path: Path) -> None:
    """Health has the keys on the page, and the table has every metric with all its label values."""
    shown = json.loads(blocks(PAGE, "json")[1])
    listed = set(re.findall(r"^\| `(dockercise_webhook_\w+)` \|", PAGE, re.MULTILINE))
    world = ScriptedWorld(tmp_path / "world")
    world.register("acme/infra")

    with receiving(world.hub, tmp_path / "data") as receiver:
        eventually(lambda: receiver.logged("1 deployment waits"))
        health = receiver.client.get("/health").json()
        families = _families(receiver)

    assert health.keys() == shown.keys()
    assert health["registrations"].keys() == shown["registrations"].keys()
    assert listed == families
    for word in (*RunState, "started", "untouched", "refused", "later", "sent", "lost"):
        assert word in PAGE or word is RunState.PENDING


def test_the_proxy_passes_on_what_the_receiver_takes() -> None:
    """The proxy on the page forwards to the default address, and accepts the largest payload."""
    (config,) = blocks(PAGE, "nginx")

    assert f"proxy_pass http://127.0.0.1:{PORT};" in config
    assert f"client_max_body_size {LARGEST // 1024 // 1024}m;" in config


def _families(receiver: Receiving) -> set[str]:
    families = text_string_to_metric_families(receiver.client.get("/metrics").text)
    names = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    return {name for name in names if not name.endswith("_created")}  # added by the library


def _started(command: Command) -> str:
    """The receiver's address, when it knows the waiting deployment, so that these lines come before all others."""
    url = ""
    while not (url and any("deployment waits" in line for line in command.lines)):
        found = command.line(r"waiting for pushes at (\S+)|1 deployment waits")
        url = found[1] or url
    return url
