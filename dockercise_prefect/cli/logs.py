"""`logs`: prints the logs of a run."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from io import TextIOWrapper

import click

from dockercise_prefect.cli.completion import complete_runs, complete_stages
from dockercise_prefect.cli.present.log import ExactLog, LogLines, LogPrinter
from dockercise_prefect.cli.record_options import found_run, takes_records
from dockercise_prefect.errors import StorageError
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.reading.following import LogEnded, Part, Printed, as_printed, as_stored
from dockercise_prefect.results.reading.records import Records
from dockercise_prefect.results.reading.run_view import RunView
from dockercise_prefect.results.reading.terminal_text import coloured_line, plain_line
from dockercise_prefect.status import StageStatus

FOLDER_SECONDS = 0.5
BUCKET_SECONDS = 2.0
"""Seconds between two reads of a growing record. A bucket gets a log only every few seconds, and each read costs money."""


@click.command
@click.argument("run", shell_complete=complete_runs)
@click.argument("stage", required=False, shell_complete=complete_stages)
@click.option("-f", "--follow", is_flag=True, help="Keep printing as the logs grow, until the stage or the run ends.")
@takes_records
def logs(records: Records, run: str, stage: str | None, *, follow: bool) -> None:
    """Print the log of STAGE in RUN, or of all stages, with the stage's name before each line.

    STAGE.SERVICE is the log of a service, as in `test.db`.

    RUN is a run id, the beginning of one, or `last`: the last run of the pipeline in this folder, or of any pipeline if this
    folder has none. The log of one stage is printed byte for byte, except on a terminal.
    Exit status: 0 success (a stage may have printed nothing), 2 wrong usage, 3 a log is missing from the record.
    """
    view = found_run(records, run)
    owners = {stage: view.logged_by(stage).name} if stage else {}
    names = list(owners) or _in_order(view)
    printer = _printer(names, alone=stage is not None)
    lost: list[StageName] = []
    for part in _parts(view, names, owners, follow=follow):
        match part:
            case Printed(name, chunk):
                printer.take(name, chunk)
            case LogEnded(name, kept):
                printer.end(name)
                if not kept:
                    lost += _missed(view, name, owners.get(name, name), say=stage is not None)
    if lost:
        raise StorageError(
            f"the record of {view.run.run_id} has no log of {', '.join(lost)}",
            f"`dockercise show {view.run.run_id}` shows what happened to the run",
        )


def _parts(view: RunView, names: list[str], owners: dict[str, StageName], *, follow: bool) -> Iterator[Part]:
    if not follow or view.summary is not None:
        return as_stored(view.run, names)
    seconds = FOLDER_SECONDS if view.run.url.startswith("file:") else BUCKET_SECONDS
    return as_printed(view.run, names, view.needs, lambda: time.sleep(seconds), owners)


def _in_order(view: RunView) -> list[StageName]:
    """The stages in the order in which they started, then the others in the order of the pipeline."""
    names = [stage.name for stage in view.pipeline]
    started = {name: view.stages[name].started for name in names if name in view.stages}
    return sorted(names, key=lambda name: (started.get(name) is None, started.get(name) or ""))


def _printer(names: list[StageName], *, alone: bool) -> LogPrinter:
    terminal = sys.stdout.isatty()
    if alone and not terminal:
        return ExactLog(sys.stdout.buffer)
    clean = coloured_line if terminal and not os.environ.get("NO_COLOR") else plain_line
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a stage may have printed characters outside the terminal's encoding
    if alone:
        return LogLines(sys.stdout, lambda _: "", clean)
    from dockercise_prefect.cli.present.lines import name_width, output_prefix
    from dockercise_prefect.cli.present.printing import marks

    width, characters = name_width(names), marks()
    return LogLines(sys.stdout, lambda name: output_prefix(name, width, characters), clean)


def _missed(view: RunView, name: str, stage: StageName, *, say: bool) -> list[str]:
    """The log, if it should exist. Otherwise, print why there is no log, unless the reason is obvious."""
    entry = view.run.entry(stage)
    if view.stage(stage).no_log or (entry and entry.sensitive):
        click.echo(f"the log of {name} is not kept: its output is sensitive", err=True)
    elif entry is not None and entry.summary.started is not None and entry.summary.status is not StageStatus.RUNNING:
        return [name]
    elif say:
        why = "has not printed anything yet" if entry is None or entry.summary.started else entry.summary.headline
        click.echo(f"there is no log of {name}: {why}", err=True)
    return []
