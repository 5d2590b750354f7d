"""`results`: sends records that did not reach the bucket."""

from __future__ import annotations

import click

from dockercise_prefect.errors import ExitStatus, StorageError, UsageError
from dockercise_prefect.results.places.objects import Objects
from dockercise_prefect.results.record.unsent import Destination, NotWaitingError, UnsentRun, unsent_runs
from dockercise_prefect.settings import read_settings


@click.group
def results() -> None:
    """Records of runs that did not reach their bucket."""


@results.command("push")
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option("--results", "place", metavar="PLACE", help="Send the records to this place instead of their own.")
def push_command(runs: tuple[str, ...], place: str | None) -> int:
    """Send records that did not reach their bucket: of the RUNs, or of all runs.

    RUN is a run id or the beginning of one. Runs that have not ended are skipped. Exit status: 0 everything was sent, 2 no such
    run, or it has not ended, 3 the bucket fails again, 4 nothing to send.
    """
    from dockercise_prefect.results.opening import open_objects
    from dockercise_prefect.results.push import push

    settings = read_settings(results=place)
    waiting = unsent_runs(settings.data)
    if not waiting and not runs:
        click.echo("nothing is waiting to be sent", err=True)
        return ExitStatus.NOTHING_TO_DO

    def connect(destination: Destination) -> Objects:
        return open_objects(settings.results if place else destination.place, settings)

    statuses = set()
    for run in dict.fromkeys(_named(name, waiting) for name in runs) or waiting:
        try:
            url = push(run, connect, lambda text: click.echo(text, err=True))
        except NotWaitingError as error:
            click.echo(str(error), err=True)
            statuses.add(ExitStatus.WRONG_INPUT if runs else ExitStatus.DONE)
        except StorageError as error:
            click.echo(f"{run.run_id}: {error}", err=True)
            statuses.add(ExitStatus.ENGINE_FAILED)
        else:
            click.echo(f"{run.run_id}: sent to {url}")
    return max(statuses, default=ExitStatus.DONE)


def _named(name: str, waiting: list[UnsentRun]) -> UnsentRun:
    found = [run for run in waiting if run.run_id.startswith(name)]
    if len(found) == 1:
        return found[0]
    what = "several runs begin" if found else "no run that is waiting to be sent begins"
    ids = ", ".join(run.run_id for run in found or waiting)
    raise UsageError(f"{what} with {name}", f"these are waiting: {ids}" if ids else "nothing is waiting to be sent")
