"""The page on GitHub: its commands print what it shows, its rights are the needed ones, and its errors exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from dockercise_prefect.cli.repository_choice import Choice
from dockercise_prefect.hosts.github import OfferedRepository
from dockercise_prefect.hosts.github_errors import Right
from tests.cli.connected_world import World
from tests.support.command import Command
from tests.support.hosts.device_flow_pages import CLIENT_ID, PENDING
from tests.support.hosts.github_server import ENTERPRISE, TOKEN, running_github
from tests.test_user_pages import blocks

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/github.md").read_text(encoding="utf-8")
_VARYING = [
    (r"/\S+/logins/\S+\.json", "FILE"),
    (r"https?://(?=[\w.:]+/login/device)", ""),
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
    """The commands on the page that need Prefect, typed one after the other, print exactly what the page shows."""
    examples = [example for example in blocks(PAGE, "console") if "connect" in example.partition("\n")[0]]

    for example in examples:
        typed, _, shown = example.removeprefix("$ ").partition("\n")
        words = [word.replace("acme/infra", world.name) for word in shlex.split(typed)[1:]]
        said = world.call(*words, "--api", world.github.api)

        assert said.status == 0, said
        assert alike(said.out) == alike(shown)
    assert len(examples) == 3


def test_what_the_logins_print(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands on the page that log in and out print exactly what the page shows."""
    monkeypatch.setenv("DOCKERCISE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DOCKERCISE_GITHUB_CLIENT_ID", CLIENT_ID)
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    examples = [example for example in blocks(PAGE, "console") if " github\n" in example]

    with running_github(ENTERPRISE) as server:
        server.scopes = "repo"
        server.logins.replies = [PENDING, {"access_token": TOKEN}]
        host = server.api.removeprefix("http://").removesuffix("/api/v3")
        for example in examples:
            typed, _, shown = example.removeprefix("$ ").partition("\n")
            said = command(*shlex.split(typed)[1:], "--host", host)

            assert said.status == 0, said
            assert alike(said.out) == alike(shown)
        assert len(examples) == 2


def test_what_the_list_looks_like() -> None:
    """The list of repositories looks as on the page."""
    (example,) = blocks(PAGE, "text")
    rows = [
        ("acme/infra", "private", "2026-11-30"),
        ("acme/shop", "private", "2026-11-28"),
        ("acme/web", "public", "2026-10-02"),
    ]

    lines = Choice(tuple(OfferedRepository(*row) for row in rows)).lines(80, 24)

    assert [line.rstrip() for line in lines] == example.splitlines()


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
