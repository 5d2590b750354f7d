"""`webhook`: receives pushes and pull requests, in the foreground. Also `webhook approve`."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from dockercise_prefect.cli.present.stream import ForgivingStream
from dockercise_prefect.cli.registration_options import reporting
from dockercise_prefect.errors import UsageError
from dockercise_prefect.git.ask import SHORT_COMMIT
from dockercise_prefect.settings import read_settings

if TYPE_CHECKING:
    from dockercise_prefect.orchestration.registrations.pull_requests import WaitingRun

_LEAST_DIGITS = 7
"""How many digits of a commit somebody must name who says yes to it."""

SECRET = "DOCKERCISE_WEBHOOK_SECRET"  # noqa: S105  the variable's name


@click.group(invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8200, show_default=True, type=click.IntRange(0, 65535), help="The port; 0 chooses a free one.")
@click.pass_context
def webhook(context: click.Context, host: str, port: int) -> None:
    """Receive pushes and pull requests from GitHub, Gitea, Forgejo and GitLab, and start runs for them.

    Send deliveries to / or /webhook; /health and /metrics show the state. An accepted delivery is saved on disk and runs once,
    even if Prefect is down or this process ends. DOCKERCISE_WEBHOOK_SECRET is the secret for repositories that were registered
    without one. Ctrl-C ends it with exit status 0.

    `dockercise webhook approve` lets the pull request of a fork run.
    """
    if context.invoked_subcommand is None:
        _receive(host, port)


@webhook.command
@click.argument("name")
@click.argument("number", required=False, type=click.IntRange(min=1), metavar="[NUMBER")
@click.argument("commit", required=False, metavar="COMMIT]")
@click.option("--no", "refused", is_flag=True, help="Do not let it run: cancel it.")
def approve(*, name: str, number: int | None, commit: str | None, refused: bool) -> None:
    """Let pull request NUMBER of a fork run, for the registration NAME, as `dockercise register list` shows it.

    COMMIT is the commit that you have read: at least seven digits of its id. A later one waits again. Without NUMBER, this
    lists what waits. *Resume* and *Cancel* in Prefect's UI do the same.
    """
    with reporting():
        from dockercise_prefect.orchestration.registrations import pull_requests
        from dockercise_prefect.orchestration.registrations.deployments import Unreadable, find_registration

        deployed = find_registration(name)
        if isinstance(deployed, Unreadable):
            raise deployed.why
        waiting = pull_requests.waiting(deployed)
        if number is None:
            for line in _listed(name, waiting):
                click.echo(line)
            return
        run = _chosen(name, waiting, number, commit)
        (pull_requests.refuse if refused else pull_requests.allow)(run)
    click.echo(f"{'refused' if refused else 'approved'}: pull request {number} at {run.head[:SHORT_COMMIT]}")
    if run.page:
        click.echo(f"  {run.page}")


def _listed(name: str, waiting: Sequence[WaitingRun]) -> Iterator[str]:
    if not waiting:
        yield f"no pull request of {name} waits for a yes"
    for run in waiting:
        yield f"pull request {run.number} at {run.head[:SHORT_COMMIT]}{f' · {run.page}' if run.page else ''}"
        yield f"  dockercise webhook approve {name} {run.number} {run.head[:SHORT_COMMIT]}"


def _chosen(name: str, waiting: Sequence[WaitingRun], number: int, commit: str | None) -> WaitingRun:
    found = next((run for run in waiting if run.number == str(number)), None)
    if found is None:
        hint = f"`dockercise webhook approve {name}` lists what waits"
        raise UsageError(f"pull request {number} of {name} does not wait for a yes", hint)
    if commit is None or len(commit) < _LEAST_DIGITS or not found.head.startswith(commit.lower()):
        raise UsageError(
            f"pull request {number} is at {found.head[:SHORT_COMMIT]}, which is not the commit that you have named",
            f"read its changes, then type `dockercise webhook approve {name} {number} {found.head[:SHORT_COMMIT]}`",
        )
    return found


def _receive(host: str, port: int) -> None:
    from dockercise_prefect.hosts.senders import open_statuses
    from dockercise_prefect.http_server import address_of
    from dockercise_prefect.webhook.receiver import prefect_hub
    from dockercise_prefect.webhook.receiver.receiver import Receiver
    from dockercise_prefect.webhook.receiver.server import listen, serve

    settings = read_settings()
    secret = os.environ.pop(SECRET, None)  # child processes such as git do not need it
    log = _Log()
    with listen(host, port) as listener:
        receiver = Receiver(
            hub=prefect_hub.PrefectHub(settings),
            open_statuses=open_statuses,
            data=settings.data,
            own_secret=secret,
            say=log,
        )
        where = address_of(listener)
        receiver.start()
        try:
            asyncio.run(serve(receiver.app, listener, lambda: log(f"waiting for pushes at {where}")))
            log("ending")
        finally:
            receiver.stop()


class _Log:
    """Prints complete lines on standard output, each with its time. Thread-safe."""

    def __init__(self) -> None:
        self._stream = ForgivingStream(sys.stdout)
        self._lock = threading.Lock()

    def __call__(self, line: str) -> None:
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with self._lock:
            self._stream.write(f"{moment} {line}\n")
            self._stream.flush()
