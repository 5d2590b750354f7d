"""`cancel`: cancels a run, wherever it runs."""

from __future__ import annotations

import os

import click

from dockercise_prefect.cli.completion import complete_runs
from dockercise_prefect.settings import read_settings


@click.command
@click.argument("run", shell_complete=complete_runs)
@click.option("--no-wait", is_flag=True, help="Do not wait until the run has ended.")
def cancel(run: str, *, no_wait: bool) -> None:
    """Cancel RUN, wherever it runs: its stages are stopped, and its clean-up stages run.

    RUN is a run id, the beginning of one, or the id of a flow run in Prefect. A second `cancel` ends it immediately, without
    grace periods and clean-up. Exit status: 0 the run has ended, or was asked to; 3 Prefect does not answer; 4 it had ended
    before.
    """
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")  # Prefect reads this when it is imported
    from dockercise_prefect.orchestration.prefect.cancelling import cancellation

    with cancellation(read_settings(), _note) as cancels:
        asked = cancels.ask(run)
        if no_wait:
            click.echo(f"{asked.name} was asked to end")
            return
        _note(
            f"{asked.name} was asked to end; waiting for it (Ctrl-C stops waiting, `dockercise gc` ends it if its process died)"
        )
        click.echo(f"{asked.name}: {cancels.wait(asked).name}")


def _note(text: str) -> None:
    click.echo(text, err=True)
