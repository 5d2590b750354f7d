"""The page on seeing a pipeline: the commands print what it shows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from dockercise_prefect.cli import dockercise
from tests.compiler.sources import compiled
from tests.support.hosts.git_repository import git, make_repository
from tests.test_user_pages import blocks

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/seeing.md").read_text()
CONSOLE = {command: shown for block in blocks(PAGE, "console") for command, _, shown in [block.partition("\n")]}
(PIPELINE,) = blocks(PAGE, "yaml")


def _printed(*arguments: str) -> str:
    return CliRunner().invoke(dockercise, arguments).stdout


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The output of `plan` after the change on the page, by format, with the page's commit."""
    root = tmp_path_factory.mktemp("app")
    before = PIPELINE.replace("run: sh code/publish.sh", "run: ./code/publish.sh")
    make_repository(root, {"app.dockercise.yaml": before, "src/main.go": "package main\n"}, branch="main")
    (root / "app.dockercise.yaml").write_text(PIPELINE)
    (root / "src/main.go").write_text("package other\n")
    real, (shown,) = git(root, "rev-parse", "HEAD"), re.findall(r'"commit": "(\w{40})"', PAGE)
    printed = {name: _printed("plan", str(root), "--since", "main", "--format", name) for name in ("text", "json")}
    return {name: text.replace(real, shown).replace(real[:12], shown[:12]) for name, text in printed.items()}


@pytest.mark.parametrize("command", [command for command in CONSOLE if "flows/hello" in command])
def test_commands_print_what_is_shown(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command on the page prints the lines below it."""
    monkeypatch.chdir(ROOT)

    assert _printed(*command.removeprefix("$ dockercise ").split()) == CONSOLE[command]


def test_plan_prints_what_is_shown(plan: dict[str, str]) -> None:
    """The plan on the page, as text and as JSON, is the output of the command after that change."""
    (shown,) = blocks(PAGE, "json")

    assert plan["text"] == CONSOLE["$ dockercise plan --since main"]
    assert json.loads(plan["json"]) == json.loads(shown)
    assert list(json.loads(plan["json"])) == list(json.loads(shown))


def test_flowchart_is_up_to_date() -> None:
    """The Mermaid text on the page is the result of compiling."""
    (shown,) = blocks(PAGE, "mermaid")

    assert _printed("compile", str(ROOT / "flows/hello"), "--format", "mermaid") == shown


def test_picture_is_up_to_date(tmp_path: Path) -> None:
    """The picture of flows/hello is the result of `graph --layout own`."""
    CliRunner().invoke(dockercise, ["graph", str(ROOT / "flows/hello"), "--layout", "own", "-o", str(tmp_path / "hello.svg")])

    assert (tmp_path / "hello.svg").read_text() == (ROOT / "docs/images/hello.svg").read_text()


def test_example_compiles() -> None:
    """The pipeline on the page has no findings."""
    assert len(compiled(app=PIPELINE)) > 0


def test_every_link_leads_somewhere() -> None:
    """The files that the page links to exist."""
    links = re.findall(r"\]\(([^)#:]+)[)#]", PAGE)

    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
