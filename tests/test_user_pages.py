"""README and the page on running: everything that they show exists."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import click
import pytest

from dockercise_prefect.cli import dockercise
from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.settings import Folders, load
from dockercise_prefect.status import StageStatus
from tests.compiler.sources import compiled

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
RUNNING = (ROOT / "docs/running.md").read_text()


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("example", blocks(README, "yaml") + blocks(RUNNING, "yaml"))
def test_every_pipeline_compiles(example: str) -> None:
    """Every YAML block is a pipeline without findings."""
    assert len(compiled(example=example)) > 0


def test_the_summary_has_the_fields_it_has() -> None:
    """The JSON on the page has exactly the keys of a real summary, in order."""
    (example,) = blocks(RUNNING, "json")

    shown = json.loads(example)

    assert list(shown) == [field.name for field in fields(RunSummary)]
    assert list(shown["stages"]["greet"]) == list(StageSummary(StageStatus.PASSED).to_json())


def test_every_exit_status_is_told() -> None:
    """The table lists every exit status, and no status that does not exist."""
    listed = re.findall(r"^\| (\d+) \|", RUNNING, re.MULTILINE)

    assert [int(status) for status in listed] == [status.value for status in ExitStatus]


def test_every_setting_is_told(tmp_path: Path) -> None:
    """The table of settings names every variable that is read."""
    listed = set(re.findall(r"^\| `(DOCKERCISE_\w+)` \|", RUNNING, re.MULTILINE))
    folders = Folders(working=tmp_path, home=tmp_path, data=tmp_path)
    known = {field.name for field in fields(load({}, None, {}, folders))} - {"origins"}

    assert listed == {f"DOCKERCISE_{name.upper()}" for name in known}


def test_every_status_of_a_stage_is_told() -> None:
    """The page names every status that a stage can have."""
    today = set(StageStatus) - {StageStatus.RUNNING, StageStatus.CACHED, StageStatus.SKIPPED}

    assert [status for status in today if f"`{status}`" not in RUNNING] == []


@pytest.mark.parametrize(
    "page", [README, RUNNING, *((ROOT / "docs" / name).read_text() for name in ("language.md", "results.md"))]
)
def test_every_command_named_exists(page: str) -> None:
    """No page names a command that does not exist."""
    named = set(re.findall(r"(?:`|^ {4,})dockercise ([a-z]+)", page, re.MULTILINE))
    known = set(dockercise.list_commands(click.Context(dockercise)))

    assert named <= known


def test_every_link_leads_somewhere() -> None:
    """The files that the pages link to exist."""
    for page, folder in ((README, ROOT), (RUNNING, ROOT / "docs")):
        links = re.findall(r"\]\(([^)#:]+)\)", page)

        assert [link for link in links if not (folder / link).exists()] == []
