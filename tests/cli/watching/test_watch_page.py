"""The page on `watch`: its pipeline compiles, its options exist, and its limits are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from dockercise_prefect.cli.watch import watch
from dockercise_prefect.cli.watching import loop, watcher
from tests.compiler.sources import compiled
from tests.test_user_pages import blocks

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/watch.md").read_text()


@pytest.mark.parametrize("example", blocks(PAGE, "yaml"))
def test_every_pipeline_compiles(example: str) -> None:
    """Every YAML block is a pipeline without findings."""
    assert len(compiled(example=example)) > 0


def test_the_options_are_those_of_the_command() -> None:
    """The page names each option, and no other one."""
    (sentence,) = re.findall(r"^.*are those of `run`\.$", PAGE, re.MULTILINE)
    options = [option.opts[0] for option in watch.params if isinstance(option, click.Option)]

    assert sorted(re.findall(r"`(-[-a-zA-Z]+)`", sentence)) == sorted(options)


def test_the_times_are_those_of_the_code() -> None:
    """How long it must be quiet before a round, and how long changes do not count after one."""
    assert f"nothing has changed for {watcher.QUIET / 1000} seconds" in PAGE
    assert loop.SETTLING == 1.0
    assert "for one second after it" in PAGE


def test_every_link_leads_somewhere() -> None:
    """The files that the page links to exist."""
    assert [link for link in re.findall(r"\]\(([^)#:]+)", PAGE) if not (ROOT / "docs" / link).exists()] == []
