"""`aws role`: the role with which an account uses another account, for both of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from dockercise_prefect.cli.aws_verbs.stack_options import profile_option, region_option
from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.settings import read_settings
from dockercise_prefect.signals import as_interrupt

Command = TypeVar("Command", bound=Callable[..., object])

_PRINCIPAL_HELP = "The ARN of the user or role that may use the account; can be repeated."


@click.group
def role() -> None:
    """Let one account use another one.

    Whoever runs dockercise for customers calls `new` once for each customer, and sends the customer what it prints. The
    customer calls `make`, or `print` to read the template first.
    """


def _takes_access(command: Command) -> Command:
    return region_option(profile_option(command))


def _takes_trust(command: Command) -> Command:
    principals = click.option("--principal", "principals", metavar="ARN", multiple=True, required=True, help=_PRINCIPAL_HELP)
    external_id = click.option("--external-id", metavar="ID", required=True, help="What `new` has made for this account.")
    return principals(external_id(command))


@role.command("new", short_help="Make an external id for a new customer.")
@click.argument("customer")
@click.option("--principal", "principals", metavar="ARN", multiple=True, help=f"{_PRINCIPAL_HELP}  [default: you]")
@_takes_access
def new_customer(customer: str, principals: tuple[str, ...], region: str | None, profile: str | None) -> None:
    """Make an external id for the new customer CUSTOMER, and print what the customer has to do.

    The id is random and is stored in your data folder. It never changes, and no two customers have the same.
    """
    from dockercise_prefect.aws.role.customers import Customers

    trusted = principals or (_own_principal(region, profile),)
    for line in _next_steps(Customers(read_settings().data).add(customer).external_id, trusted):
        click.echo(line)


@role.command("show", short_help="Print again what `new` has printed.")
@click.argument("customer")
@click.option("--principal", "principals", metavar="ARN", multiple=True, help=f"{_PRINCIPAL_HELP}  [default: you]")
@_takes_access
def show_customer(customer: str, principals: tuple[str, ...], region: str | None, profile: str | None) -> None:
    """Print again what `new` has printed for CUSTOMER."""
    from dockercise_prefect.aws.role.customers import Customers

    found = Customers(read_settings().data).find(customer)
    for line in _next_steps(found.external_id, principals or (_own_principal(region, profile),)):
        click.echo(line)


@role.command("list")
def list_customers() -> int:
    """List the customers. Exit status: 0 there are some, 4 there are none."""
    from dockercise_prefect.aws.role.customers import Customers

    names = Customers(read_settings().data).names()
    for name in names:
        click.echo(name)
    if not names:
        click.echo("there are no customers; `dockercise aws role new CUSTOMER` adds one", err=True)
    return ExitStatus.DONE if names else ExitStatus.NOTHING_TO_DO


@role.command("print", short_help="Print the template of the role.")
@_takes_trust
def print_template(principals: tuple[str, ...], external_id: str) -> None:
    """Print the template of the role, for CloudFormation in the customer's account."""
    from dockercise_prefect.aws.role.template import Trust, template_for

    click.echo(template_for(Trust(principals, external_id)), nl=False)


@role.command("make", short_help="Make the role in your account, or change it.")
@_takes_trust
@_takes_access
def make(principals: tuple[str, ...], external_id: str, region: str | None, profile: str | None) -> None:
    """Make the role in your account, or change it, so that somebody else's dockercise can work there.

    It may make, change and delete stacks of CloudFormation whose names begin with `dockercise`, and use what is in them. To
    take all of it back, delete the stack `access-for-dockercise`.
    """
    from dockercise_prefect.aws.account import Access, Account
    from dockercise_prefect.aws.role.making import make_role
    from dockercise_prefect.aws.role.template import Trust

    trust = Trust(principals, external_id)
    client = Account(Access(region=region, profile=profile)).client("cloudformation")
    with as_interrupt():
        arn = make_role(client, trust, lambda text: click.echo(text, err=True))
    click.echo(arn)


def _own_principal(region: str | None, profile: str | None) -> str:
    from dockercise_prefect.aws.account import Access, Account
    from dockercise_prefect.aws.role.template import principal_of

    return principal_of(Account(Access(region=region, profile=profile)).identity().arn)


def _next_steps(external_id: str, principals: tuple[str, ...]) -> list[str]:
    trusted = " ".join(f"--principal {principal}" for principal in principals)
    return [
        "the customer runs this with the credentials of the other account:",
        f"  dockercise aws role make {trusted} --external-id {external_id}",
        "and you then run this, with the ARN that it prints:",
        f"  dockercise aws up --role ARN --external-id {external_id}",
    ]
