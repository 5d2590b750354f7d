"""`fetch`: unpacks the files of a stage's volume, or prints what the stage wrote to stdout."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from dockercise_prefect.cli.completion import complete_runs, complete_stages
from dockercise_prefect.cli.record_options import found_run, takes_records
from dockercise_prefect.errors import NothingToDoError, UsageError
from dockercise_prefect.results.places.objects import NotStoredError
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.reading.records import Records
from dockercise_prefect.results.reading.run_view import RunView
from dockercise_prefect.results.reading.terminal_text import plain_line
from dockercise_prefect.results.reading.unpack import WrongArchiveError, unpack
from dockercise_prefect.results.record.file_names import volume_file
from dockercise_prefect.status import StageStatus


@click.command
@click.argument("run", shell_complete=complete_runs)
@click.argument("stage", shell_complete=complete_stages)
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--out", "wants_output", is_flag=True, help="Print the stage's stdout instead, byte for byte.")
@takes_records
def fetch(records: Records, run: str, stage: str, folder: Path | None, *, wants_output: bool) -> None:
    """Unpack the volume of STAGE in RUN into DIR, which must be new or empty.

    RUN is a run id, the beginning of one, or `last`: the last run of the pipeline in this folder, or of any pipeline if this
    folder has none. Modes, links and times are kept; owners only if root unpacks.
    Exit status: 0 success, 2 wrong usage, 3 the archive is broken or DIR cannot be written (then DIR stays empty), 4 nothing to
    unpack.
    """
    if wants_output == (folder is not None):
        raise UsageError(
            "fetch needs either a DIR or --out", "name a folder for the stage's files, or use --out without a folder"
        )
    view = found_run(records, run)
    name = view.stage(stage).name
    try:
        if folder is None:
            _print_output(view.run, name)
        else:
            _unpack(view.run, name, folder)
    except NotStoredError:
        why = _why_nothing(view, name, "volume" if folder else "output")
        raise NothingToDoError(f"there is nothing to fetch: {why}") from None


def _print_output(run: RecordedRun, stage: str) -> None:
    for chunk in run.output(stage):
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def _unpack(run: RecordedRun, stage: str, folder: Path) -> None:
    for path in _unpacked(run, stage, folder):
        click.echo(f"left out, not a file, folder or link: {plain_line(path)}", err=True)


def _unpacked(run: RecordedRun, stage: str, folder: Path) -> list[str]:
    try:
        return unpack(run.volume(stage), stage, folder)
    except WrongArchiveError as error:
        raise run.broken(volume_file(stage), str(error)) from error


def _why_nothing(view: RunView, name: str, what: str) -> str:
    summary = view.stages.get(name)
    if summary is None:
        return f"{name} has not started yet"
    if summary.status is StageStatus.RUNNING:
        return f"{name} is still running, or was interrupted"
    if summary.started is None and summary.reused_from is None:
        return f"{name} never started"
    if view.stage(name).no_log:
        return f"{name} has `noLog: true`, so its {what} is not kept"
    entry = view.run.entry(name)
    if entry is not None and what in entry.left_out:
        return f"the {what} of {name} was not kept: {entry.left_out[what]}"
    return f"{name} left nothing in its volume" if what == "volume" else f"the output of {name} is not in the record"
