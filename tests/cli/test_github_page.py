"""The page on GitHub: its commands print what it shows, its rights are the needed ones, and its errors exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from dockercise_prefect.hosts.github_errors import Right
from tests.cli.connected_world import World
from tests.test_user_pages import blocks

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/github.md").read_text(encoding="utf-8")
_VARYING = [
    (r"git@github\.com:|ssh://git@127\.0\.0\.1:\d+/", "GIT "),
    (r"https?://127\.0\.0\.1:\d+/api", "PREFECT"),
    (r"github\.com|127\.0\.0\.1:\d+", "HOST"),
    (r"(acme[/-])?infra[0-9a-f]{8}", r"\1infra"),
    (r"(dockercise-acme-infra)-[0-9a-f]{8}", r"\1"),
    (r"SHA256:[\w+/]{43}", "FINGERPRINT"),
    (r"main at [0-9a-f]{12}", "main at COMMIT"),
]


@pytest.mark.docker
def test_what_the_commands_print(world: World) -> None:
    """The commands on the page, typed one after the other, print exactly what the page shows."""
    examples = blocks(PAGE, "console")

    for example in examples:
        typed, _, shown = example.removeprefix("$ ").partition("\n")
        words = [word.replace("acme/infra", world.name) for word in shlex.split(typed)[1:]]
        said = world.call(*words, "--api", world.github.api)

        assert said.status == 0, said
        assert alike(said.out) == alike(shown)
    assert len(examples) == 3


def test_the_rights_are_those_that_are_needed() -> None:
    """The table has each right that a call names, and no other."""
    rows = re.findall(r"^\| ([\w ]+) \| (read|read and write) \|", PAGE, re.MULTILINE)

    assert {f"{name}: {access}" for name, access in rows} == {right.value[0] for right in Right}


def test_what_is_said_is_what_the_code_says() -> None:
    """Every sentence that the table explains is in the code, or in GitHub's answers in the tests."""
    places = ("webhook", "connect", "hosts", "cli", "orchestration")
    modules = (path for place in places for path in (ROOT / "dockercise_prefect" / place).rglob("*.py"))
    code = "".join(path.read_text(encoding="utf-8") for path in modules)
    code += (ROOT / "tests/support/hosts/github_server.py").read_text(encoding="utf-8")
    said = re.findall(r"^\| (?:findings, )?`([^`]+)`", PAGE, re.MULTILINE)

    assert len(said) > 10
    assert [text for text in said if text.removeprefix("GITHUB_TOKEN ") not in code] == []


def alike(text: str) -> str:
    """A text without the parts that differ from place to place."""
    for pattern, word in _VARYING:
        text = re.sub(pattern, word, text)
    return text
