"""`aws`: a Docker host in the user's own account of AWS, which pushes wake."""

from __future__ import annotations

import click

from dockercise_prefect.cli.lazy_group import Entry, LazyGroup

_VERBS = {
    "up": Entry("dockercise_prefect.cli.aws_verbs.up:up", "Make the stack and connect a repository, or update both."),
    "status": Entry("dockercise_prefect.cli.aws_verbs.status:status", "Show the host, its work, and what it costs."),
    "logs": Entry("dockercise_prefect.cli.aws_verbs.logs:logs", "Print the logs of stages, of the host or of the door."),
    "results": Entry("dockercise_prefect.cli.aws_verbs.results:results", "Open the records of an account in a browser."),
    "ui": Entry("dockercise_prefect.cli.aws_verbs.ui:ui", "Open Prefect's UI, which runs on the host."),
    "wake": Entry("dockercise_prefect.cli.aws_verbs.sleep:wake", "Wake the host, and keep it awake for a time."),
    "sleep": Entry("dockercise_prefect.cli.aws_verbs.sleep:sleep", "Let the host sleep now."),
    "down": Entry("dockercise_prefect.cli.aws_verbs.down:down", "Take the stack away, without its records."),
    "role": Entry("dockercise_prefect.cli.aws_verbs.role:role", "Let a stack be made in another account, by a role there."),
    "job": Entry("dockercise_prefect.cli.aws_verbs.job:job", "Run a pipeline on a customer's host, as a task of ECS."),
    "jobs": Entry("dockercise_prefect.cli.aws_verbs.jobs:jobs", "Start a task of ECS for each push of a customer."),
    "job-keys": Entry("dockercise_prefect.cli.aws_verbs.job_keys:job_keys", "Print the keys that may log in to this host."),
}


@click.command(cls=LazyGroup, entries=_VERBS)
def aws() -> None:
    """Run pipelines on a Docker host in your own account of AWS. A push wakes it, and it sleeps when there is no work.

    The credentials are those that AWS's own programs use: a profile, SSO, or variables of the environment.
    """
