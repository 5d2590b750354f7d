"""The page on AWS without a server: its commands print what it shows, its costs are computed, and its messages exist."""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path

import pytest

from dockercise_prefect.aws.cost import known_regions, prices
from tests.support.aws.stack_world import PACKAGE, StackWorld
from tests.support.hosts.github_server import GitHubServer
from tests.test_user_pages import blocks

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/serverless.md").read_text(encoding="utf-8")
IN_TWO_ACCOUNTS = ("dockercise aws role ", "dockercise aws jobs ")
"""Examples that another test runs, `tests/aws/test_role_page.py`."""

_VARYING = [
    (r"dockercise-[0-9a-f]{8}-bucket-\w+|dockercise-bucket-\w+", "BUCKET"),
    (r" --name dockercise-[0-9a-f]{8}", ""),
    (r"dockercise-[0-9a-f]{8}", "dockercise"),
    (r"account \d{12} · (\S+) · arn:\S+", r"account \1 ARN"),
    (r"https://\w+\.lambda-url", "https://URL.lambda-url"),
    (r"on (github\.com|127\.0\.0\.1:\d+)", "on HOST"),
    (r"infra-[0-9a-f]{8}", "infra-HASH"),
    (r"SHA256:[\w+/]{43}", "FINGERPRINT"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC|^\d\d:\d\d:\d\d", "TIME"),
    (r"i-[0-9a-f]{17}", "INSTANCE"),
    (r"\S+/greet", "STREAM"),
    (r" {2,}", "  "),
    (r"^go on\? .*\n|^take the stack .*\n|^the host is starting\n", ""),
]


@pytest.mark.docker
def test_what_the_commands_print(aws_world: StackWorld, github_server: GitHubServer) -> None:
    """The commands on the page, typed one after the other, print what the page shows. `…` stands for more of such lines."""
    typed_ones = [one for block in blocks(PAGE, "console") for one in re.split(r"^\$ ", block, flags=re.MULTILINE) if one]
    examples = [one for one in typed_ones if not one.startswith(IN_TWO_ACCOUNTS)]
    for example in examples:
        typed, _, shown = example.partition("\n")
        verb, *words = shlex.split(typed)[2:]
        if verb == "logs":
            _print_a_line(aws_world)
        machine = aws_world.machine if aws_world.stack() is None else ()
        added = {"up": (*machine, "--package", PACKAGE, "--yes"), "down": ("--yes",)}
        asked = ("--api", github_server.api) if verb in added else ()

        said = aws_world.verb(verb, *words, *added.get(verb, ()), *asked)

        assert said.status == 0, said
        assert re.fullmatch(_pattern(alike(shown)), alike(said.out), re.DOTALL), f"{alike(said.out)}\n---\n{alike(shown)}"
    assert len(examples) == 7


def test_the_table_of_costs() -> None:
    """The table has each region whose prices are known, and what the stack costs there, with the date of the prices."""
    rows = re.findall(r"^\| ([a-z]+-[a-z]+-\d) \| \$([\d.]+) \| \$([\d.]+) \|$", PAGE, re.MULTILINE)
    expected = []
    for region in known_regions():
        known = prices(region)
        assert known is not None
        assert f"AWS's public prices of {known.date}" in PAGE
        cost = known.cost("t3.medium", 16 + 40)
        assert cost.awake_hour is not None
        expected.append((region, f"{cost.asleep_month:.2f}", f"{cost.awake_hour:.3f}"))

    assert rows == expected


def test_what_is_said_is_what_the_code_says() -> None:
    """Every message that the table explains is in the code."""
    rooms = ("aws", "cli", "results")
    code = "".join(
        path.read_text(encoding="utf-8") for room in rooms for path in (ROOT / "dockercise_prefect" / room).rglob("*.py")
    )
    code = re.sub(r'"\n\s+f?"', "", code)
    table = PAGE.partition("## When something is wrong")[2]
    said = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)

    assert len(said) == 11
    assert [text for text in said if text not in code.replace("{what}", "is not ready")] == []


def test_every_link_leads_somewhere() -> None:
    """The pages that this page links to exist."""
    links = re.findall(r"\]\(([\w.-]+\.md)\)", PAGE)

    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


def alike(text: str) -> str:
    """A text without the parts that differ from run to run."""
    for pattern, word in _VARYING:
        text = re.sub(pattern, word, text, flags=re.MULTILINE)
    return text


def _pattern(shown: str) -> str:
    """A regular expression for what the page shows, in which a line of `…` stands for any lines."""
    return re.escape(shown).replace(re.escape("  …\n"), ".*?")


def _print_a_line(world: StackWorld) -> None:
    client, group, stream = world.client("logs"), world.names.log_group, "infra/r1/greet"
    client.create_log_stream(logGroupName=group, logStreamName=stream)
    event = {"timestamp": int(time.time() * 1000), "message": "hello"}
    client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])
