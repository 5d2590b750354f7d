"""The page on approvals: its pipelines compile, its commands exist, and what it quotes is what runs say."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from dockercise_prefect.cli import dockercise
from dockercise_prefect.results.summary import ApprovalSummary
from tests.compiler.sources import compiled
from tests.test_user_pages import blocks

PAGE = (Path(__file__).resolve().parents[3] / "docs/approvals.md").read_text()


@pytest.mark.parametrize("example", blocks(PAGE, "yaml"))
def test_every_pipeline_compiles(example: str) -> None:
    """Every YAML block is a pipeline without findings, and a stage of it waits for something."""
    assert any(stage.approve or stage.concurrency for stage in compiled(example=example))


def test_every_command_exists() -> None:
    """Each `dockercise` command on the page exists."""
    assert set(re.findall(r"`dockercise ([a-z]+)", PAGE.replace("`dockercise stages`", ""))) <= set(
        dockercise.list_commands(click.Context(dockercise))
    )


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_answers_are_quoted(answer: str) -> None:
    """The words for an answer are those on the page."""
    assert ApprovalSummary(answer, "2026-11-30T22:00:00+00:00", "ada").in_words in PAGE  # type: ignore[arg-type]  # one of its values
