"""`aws`: dockercise in an account of AWS."""

from __future__ import annotations

import click

from dockercise_prefect.cli.aws_verbs.results import results


@click.group
def aws() -> None:
    """Run pipelines in an account of AWS."""


aws.add_command(results)
