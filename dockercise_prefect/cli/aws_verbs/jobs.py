"""`aws jobs`: the stack in our account that runs the pipelines of customers on their hosts."""

from __future__ import annotations

import click

from dockercise_prefect.cli.aws_verbs.stack_options import profile_option, region_option
from dockercise_prefect.settings import read_settings

JOBS = "dockercise-jobs"


@click.group
def jobs() -> None:
    """Run pipelines of customers as tasks of ECS, each on the Docker host in the customer's account."""


@jobs.command("print", short_help="Print the template of the stack of jobs.")
def print_template() -> None:
    """Print the template of the stack of jobs, for CloudFormation in your account."""
    from dockercise_prefect.aws.jobs.rendering import jobs_template

    click.echo(jobs_template(), nl=False)


@jobs.command("admit")
@click.argument("customer")
@click.option("--role", metavar="ARN", required=True, help="The customer's role, as `aws role make` printed it.")
@click.option("--customer-region", metavar="REGION", help="The region of the customer's stack; default: yours.")
@click.option("--customer-stack", metavar="STACK", default="dockercise", show_default=True, help="The customer's stack.")
@click.option("--stack", metavar="STACK", default=JOBS, show_default=True, help="The stack of jobs.")
@region_option
@profile_option
def admit(
    *,
    customer: str,
    role: str,
    customer_region: str | None,
    customer_stack: str,
    stack: str,
    region: str | None,
    profile: str | None,
) -> None:
    """Let pushes of CUSTOMER start jobs.

    Stores, in encrypted parameters of your account, how jobs get into the customer's account, and the webhook secret of each
    repository of the customer's stack. Call it again after the customer has connected another repository.
    """
    from dockercise_prefect.aws.account import Access, Account
    from dockercise_prefect.aws.jobs.admission import admit_customer
    from dockercise_prefect.aws.jobs.customer_access import CustomerAccess
    from dockercise_prefect.aws.names import StackNames
    from dockercise_prefect.aws.role.customers import Customers

    known = Customers(read_settings().data).find(customer)
    ours = Account(Access(region=region, profile=profile))
    access = CustomerAccess(
        role=role, external_id=known.external_id, region=customer_region or ours.region, stack=customer_stack
    )
    theirs = Account(Access(region=access.region, profile=profile, role=role, external_id=known.external_id))
    for name in admit_customer(ours, theirs, StackNames(stack), customer, access):
        click.echo(f"pushes to {name} start jobs")
