"""The page on stopping and retrying: its pipelines compile, and its commands exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from dockercise_prefect.cli import dockercise
from dockercise_prefect.orchestration.prefect.cancelling import how_to_cancel
from dockercise_prefect.pipeline.selection import run_of
from tests.compiler.sources import compiled
from tests.test_user_pages import blocks

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/stopping.md").read_text()


@pytest.mark.parametrize("example", blocks(PAGE, "yaml"))
def test_every_pipeline_compiles(example: str) -> None:
    """Every YAML block is a pipeline without findings."""
    assert len(compiled(example=example)) > 0


def test_the_clean_up_of_the_page_belongs_to_each_of_its_stages() -> None:
    """`dockercise run up` and `run test` also run `down`, as the page says."""
    pipeline = next(compiled(example=example) for example in blocks(PAGE, "yaml") if "down:" in example)

    assert list(run_of(pipeline, ["up"]).by_name) == ["up", "down"]
    assert list(run_of(pipeline, ["test"]).by_name) == ["up", "test", "down"]


def test_every_command_of_ours_exists() -> None:
    """Each `dockercise` command on the page exists."""
    assert set(re.findall(r"`dockercise ([a-z]+)", PAGE)) <= set(dockercise.list_commands(click.Context(dockercise)))


def test_the_line_in_the_log_is_quoted() -> None:
    """The page has the line that the log of a run without a deployment begins with."""
    assert f"\n{how_to_cancel('20261129T220616Z-2345')}\n" in PAGE


@pytest.mark.docker
@pytest.mark.parametrize("command", sorted(set(re.findall(r"`prefect ([a-z-]+ [a-z]+)", PAGE))))
def test_every_command_of_prefect_exists(command: str) -> None:
    """Each command of Prefect on the page exists."""
    subprocess.run([sys.executable, "-m", "prefect", *command.split(), "--help"], check=True, capture_output=True)
