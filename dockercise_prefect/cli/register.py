"""`register`: makes a repository a Prefect deployment. Also `register list` and `register remove`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dockercise_prefect.cli.registration_options import MakeRequest, carry_out, reporting, takes_registration
from dockercise_prefect.hosts.pull_requests import PullRequests

if TYPE_CHECKING:
    from dockercise_prefect.orchestration.registrations.registration import Registration


class _Register(click.Group):
    """`register SOURCE` and subcommands. If the first word is not a subcommand, it is a source or an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = args and args[0] in self.commands
        return super().parse_args(ctx, args if known else ["source", *(args or ["--help"])])


@click.group(cls=_Register)
def register() -> None:
    """Register repositories."""


@register.command("source", options_metavar="[OPTIONS]")
@click.argument("source")
@takes_registration
def register_source(source: str, request: MakeRequest) -> None:
    """Register SOURCE, a git URL (https, ssh, file) or a folder: its pipeline becomes a Prefect deployment.

    The repository is checked out and compiled first, and it must compile. Each run then compiles the repository at its own
    commit. To change a deployment, register it again under the same name.

    `dockercise register list` lists registrations, `dockercise register remove NAME` removes one.
    """
    asked = request(source)
    with reporting():
        carry_out(asked)


@register.command("list")
def list_registrations() -> None:
    """List what is registered."""
    with reporting():
        from dockercise_prefect.orchestration.registrations.deployments import Unreadable, registrations

        known = registrations()
    if not known:
        click.echo("nothing is registered; `dockercise register SOURCE` registers a repository")
    for one in known:
        if isinstance(one, Unreadable):
            click.echo(f"{one.name} · unreadable\n  {one.why.message}\n  hint: {one.why.hint}")
            continue
        ref = f" · {one.registration.ref}" if one.registration.ref else ""
        click.echo(f"{one.name}{' · paused' if one.paused else ''}")
        click.echo(f"  {one.registration.url}{ref} · work pool {one.work_pool} · schedules: {one.schedules}")
        if one.registration.pull_requests is not PullRequests.NEVER:
            click.echo(f"  pull requests: {_pull_requests(one.registration)}")
        globs = {"branches": one.registration.branches, "tags": one.registration.tags}
        pushes = [f"{kind} {' '.join(chosen)}" for kind, chosen in globs.items() if chosen]
        if pushes:
            click.echo(f"  pushes: {' · '.join(pushes)}")


def _pull_requests(registration: Registration) -> str:
    if registration.pull_requests is PullRequests.OWN:
        return "of this repository"
    waits = "without a yes" if registration.runs_forks_unasked else "which wait for a yes"
    return f"of this repository and of forks, {waits}"


@register.command("remove")
@click.argument("name")
def remove_registration(name: str) -> None:
    """Remove the registration NAME, as `register list` shows it. Past runs and their records are kept."""
    with reporting():
        from dockercise_prefect.orchestration.registrations.deployments import find_registration, remove

        deployed = find_registration(name)
        remove(deployed)
    click.echo(f"removed {deployed.name}")
