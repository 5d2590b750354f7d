"""The page on crashes: its commands exist, and what it says about times and settings is so."""

from __future__ import annotations

import re
from pathlib import Path

import click

from dockercise_prefect.cli import dockercise
from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.orchestration.crash.recovery import CHANCE_SECONDS
from dockercise_prefect.orchestration.prefect.heartbeat import BEAT_SECONDS
from dockercise_prefect.settings import Folders, load
from tests.test_user_pages import blocks

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/crashes.md").read_text()


def test_every_command_and_option_exists() -> None:
    """Each `dockercise` command on the page exists, and `gc` has the options that the page names."""
    typed = "".join(blocks(PAGE, "sh"))
    named = {*re.findall(r"dockercise ([a-z]+)", typed), *re.findall(r"`dockercise ([a-z]+)", PAGE)}
    context = click.Context(dockercise)
    gc = dockercise.get_command(context, "gc")
    assert gc is not None
    options = {option for parameter in gc.params for option in parameter.opts}

    assert named <= set(dockercise.list_commands(context))
    assert set(re.findall(r"--[a-z-]+", typed)) <= options


def test_the_times_are_those_of_the_program(tmp_path: Path) -> None:
    """The page names how often signs are sent, how long a silent run has, and after how long it counts as dead."""
    settings = load({}, None, {}, Folders(working=tmp_path, home=tmp_path, data=tmp_path))

    assert f"every {BEAT_SECONDS:g} seconds" in PAGE
    assert f"waits {CHANCE_SECONDS:g} seconds" in PAGE
    assert settings.crashed_after == 600
    assert "during the last ten minutes" in PAGE


def test_every_exit_status_is_one() -> None:
    """The table lists exit statuses that exist."""
    listed = {int(status) for status in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}

    assert listed == {ExitStatus.DONE, ExitStatus.ENGINE_FAILED, ExitStatus.NOTHING_TO_DO}
