"""`aws job`: what a task of ECS runs."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import click

from dockercise_prefect.cli.findings import finding_lines
from dockercise_prefect.settings import Settings, read_settings

if TYPE_CHECKING:
    from dockercise_prefect.aws.jobs.code import JobCode
    from dockercise_prefect.aws.jobs.job import Job


@click.command
def job() -> None:
    """Run one pipeline on the Docker host in a customer's account.

    Tasks of ECS run this. The order is in DOCKERCISE_JOB_ORDER, and DOCKERCISE_JOB_STACK names the stack of jobs. The command
    assumes the customer's role, wakes the host, runs the commit on its engine, sends records and logs to the customer's
    account, and lets the host sleep. Exit status: as `dockercise run`; 4 if the push starts no run.
    """
    from dockercise_prefect.aws.account import Access, Account
    from dockercise_prefect.aws.jobs.code import code_of, open_mirror, refuse_unwanted
    from dockercise_prefect.aws.jobs.job import open_job
    from dockercise_prefect.aws.jobs.order import STACK_VARIABLE, order_of
    from dockercise_prefect.aws.names import StackNames

    order = order_of(os.environ)
    opened = open_job(order, Account(Access()), StackNames(os.environ.get(STACK_VARIABLE) or "dockercise-jobs"))
    mirror = open_mirror(opened.repository, read_settings().data)
    refuse_unwanted(order, opened.repository, mirror)
    _say(f"{order.customer}: {opened.repository.address} at {order.commit}")
    with opened.engine(_say) as address:
        # Prefect, the engine's client and boto3 read these, also in the processes that they start.
        environment = opened.environment(os.environ)
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]
        os.environ.update(environment, DOCKER_HOST=address)
        from dockercise_prefect.cli.package_sources import chosen_packages

        settings = opened.settings(read_settings())
        with (
            chosen_packages(offline=False, untrusted=settings.untrusted) as packages,
            code_of(order, opened.repository, mirror, packages) as code,
        ):
            for line in finding_lines(code.compiled.warnings):
                _say(line)
            status = _run(code, settings, opened)
    if status:
        raise SystemExit(status)


def _run(code: JobCode, settings: Settings, opened: Job) -> int:
    """Run the pipeline, show it, and return its exit status."""
    from dockercise_prefect.cli.present import presenter_for
    from dockercise_prefect.cli.run import load_launch
    from dockercise_prefect.git.ask import SHORT_COMMIT

    launch = load_launch()
    from dockercise_prefect.orchestration.run.failure import RunFailedError
    from dockercise_prefect.orchestration.run.options import RunOptions

    with closing(presenter_for(sys.stdout)) as presenter:
        options = RunOptions(
            settings=settings,
            flags=opened.repository.options.env,
            environment=opened.variables,
            commit=code.known.commit[:SHORT_COMMIT],
            git=code.known,
            observer=presenter,
        )
        try:
            launch(code.compiled.pipeline, code.folder, code.targets, options)
        except RunFailedError as failure:
            if failure.cause is not None:
                _say(str(failure.cause))
            return int(failure.exit_status)
    return 0


def _say(line: str) -> None:
    click.echo(line, err=True)
