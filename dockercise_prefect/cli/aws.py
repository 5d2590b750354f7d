"""`aws`: a Docker host in the user's own account of AWS, which pushes wake."""

from __future__ import annotations

import click

from dockercise_prefect.cli.lazy_group import Entry, LazyGroup

_VERBS = {
    "results": Entry("dockercise_prefect.cli.aws_verbs.results:results", "Open the records of an account in a browser."),
    "role": Entry("dockercise_prefect.cli.aws_verbs.role:role", "Let a stack be made in another account, by a role there."),
}


@click.command(cls=LazyGroup, entries=_VERBS)
def aws() -> None:
    """Run pipelines on a Docker host in your own account of AWS. A push wakes it, and it sleeps when there is no work.

    The credentials are those that AWS's own programs use: a profile, SSO, or variables of the environment.
    """
