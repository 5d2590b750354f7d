"""`aws`: dockercise in an account of AWS."""

from __future__ import annotations

import click

from dockercise_prefect.cli.aws_verbs.results import results
from dockercise_prefect.cli.aws_verbs.role import role


@click.group
def aws() -> None:
    """Run pipelines in an account of AWS."""


aws.add_command(results)
aws.add_command(role)
