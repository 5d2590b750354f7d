"""`shell`: opens a shell in a stage of a recorded run."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import click

from dockercise_prefect.cli.completion import complete_runs, complete_stages
from dockercise_prefect.cli.env_options import file_variables, given_variables, takes_variables
from dockercise_prefect.cli.record_options import found_run, takes_records
from dockercise_prefect.results.reading.records import Records
from dockercise_prefect.settings import read_settings


@click.command
@click.argument("run", shell_complete=complete_runs)
@click.argument("stage", shell_complete=complete_stages)
@takes_variables
@takes_records
def shell(records: Records, run: str, stage: str, options: tuple[str, ...], files: tuple[Path, ...]) -> None:
    """Open a shell in STAGE of RUN, in the container that the stage had: its image, variables, volumes, /out and network.

    RUN is a run id, the beginning of one, or `last`: the last run of the pipeline in this folder, or of any pipeline if this
    folder has none. What earlier stages left comes from the record; code comes from DIR, or from the current folder. The
    stage's script is the file $DOCKERCISE_SCRIPT. Nothing stays on the engine afterwards.
    Exit status: that of the shell; without a shell, 1 its image could not be built, 2 wrong usage, or something is not in the
    record, 3 engine, Prefect or storage failed.
    """
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")  # Prefect reads this when it is imported
    from dockercise_prefect.cli.terminal import StandardStreams
    from dockercise_prefect.orchestration.run.options import RunOptions
    from dockercise_prefect.orchestration.shell.opening import Visit, open_shell

    how = RunOptions(settings=read_settings(), flags=given_variables(options), file_variables=file_variables(files))
    with closing(StandardStreams()) as streams:
        visit = Visit(
            view=found_run(records, run),
            stage=stage,
            options=how,
            root=click.get_current_context().params["root"] or how.settings.root or Path(),
            dialogue=streams,
            notify=_note,
            sink=lambda _channel, chunk: streams.write("stderr", chunk),
        )
        status = open_shell(visit)
    raise SystemExit(status)


def _note(text: str) -> None:
    click.echo(text, err=True)
