"""`up`, `down` and `status`: manage the local Prefect server and its UI."""

from __future__ import annotations

import os

import click

from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.orchestration.prefect.local_server import ServerFolder
from dockercise_prefect.settings import read_settings

LOGIN_VARIABLE = "PREFECT_SERVER_API_AUTH_STRING"


@click.command
@click.option(
    "--login/--no-login",
    default=None,
    help=f"Require a login from now on: the one in {LOGIN_VARIABLE}, or a new one. Default: no change; a new server has none.",
)
def up(login: bool | None) -> None:
    """Start the local Prefect server if it is not running, and print the address of its UI.

    Without a login, every user of this machine can use it. Pages of other web sites never can.
    """
    folder = _folder()
    if login:
        folder.require_login(os.environ.get(LOGIN_VARIABLE) or None)
    elif login is False:
        folder.require_no_login()
    server = folder.up(lambda text: click.echo(text, err=True))
    click.echo(f"Prefect's UI: {server.ui_url}")
    if folder.login() is not None:
        click.echo(
            f"It requires the login in {folder.login_file}. Runs use it automatically; workers and Prefect's own commands need:"
        )
        click.echo(f"  export {folder.login_variable()}")
    _say_configured()


@click.command
def down() -> None:
    """Stop the local Prefect server. Its runs stay in its database."""
    stopped = _folder().down()
    click.echo(f"stopped the local Prefect server ({stopped.ui_url})" if stopped else "no local Prefect server is running")


@click.command
def status() -> None:
    """Show whether the local Prefect server runs, and where. The exit status is 3 if it does not."""
    folder = _folder()
    server = folder.find()
    _say_configured()
    if server is None:
        click.echo("no local Prefect server is running; `dockercise up` or any run starts it")
        raise SystemExit(ExitStatus.ENGINE_FAILED)
    healthy = folder.answers(server)
    state = "answers" if healthy else "does not answer"
    click.echo(f"Prefect's UI: {server.ui_url} (process {server.pid}, {state}; log {folder.log})")
    if not healthy:
        raise SystemExit(ExitStatus.ENGINE_FAILED)


def _folder() -> ServerFolder:
    return ServerFolder(read_settings().data)


def _say_configured() -> None:
    if os.environ.get("PREFECT_API_URL"):
        from dockercise_prefect.orchestration.prefect.api import shown_api

        click.echo(f"PREFECT_API_URL is set: runs report to {shown_api()}, not to the local server")
