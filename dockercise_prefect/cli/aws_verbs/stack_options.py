"""The options that say which stack a command is for, and with which credentials it works."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from dockercise_prefect.errors import UsageError
from dockercise_prefect.quantities import seconds_of

if TYPE_CHECKING:
    from dockercise_prefect.aws.operating.up import Stacks

region_option = click.option("--region", metavar="REGION", help="The region of AWS; default: that of your profile.")
profile_option = click.option(
    "--profile", metavar="PROFILE", help="The profile in ~/.aws; default: AWS_PROFILE, or the default profile."
)

_OPTIONS = (
    click.option(
        "--name", "stack_name", metavar="NAME", default="dockercise", show_default=True, help="The name of the stack."
    ),
    region_option,
    profile_option,
    click.option("--role", metavar="ARN", help="A role to assume first, such as one in another account."),
    click.option("--external-id", metavar="ID", help="The external id that the role asks for."),
)


def takes_stack(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options. The function gets `stacks`, with which it works on the stack."""

    @wraps(command)
    def with_stacks(
        stack_name: str, region: str | None, profile: str | None, role: str | None, external_id: str | None, **given: Any
    ) -> Any:
        from dockercise_prefect.aws.account import Access, Account
        from dockercise_prefect.aws.names import StackNames
        from dockercise_prefect.aws.operating.changing import StackChanges
        from dockercise_prefect.aws.operating.up import Stacks
        from dockercise_prefect.aws.role.template import rules_of
        from dockercise_prefect.cli.present.stack import show_event

        names = StackNames(stack_name)
        account = Account(Access(region=region, profile=profile, role=role, external_id=external_id))
        rules = rules_of(role) if role is not None else None
        service_role = rules.service_role if rules is not None else None
        changes = StackChanges(account.client("cloudformation"), names.stack, show_event, service_role=service_role)
        return command(stacks=Stacks(account, names, _template, changes, rules), **given)

    for option in reversed(_OPTIONS):
        with_stacks = option(with_stacks)
    return with_stacks


def role_lines(stacks: Stacks) -> list[str]:
    """What CloudFormation works with, if that is not the role or the credentials of the caller."""
    rules = stacks.rules
    if rules is None:
        return []
    service_role, boundary = (arn.rpartition("/")[2] for arn in (rules.service_role, rules.boundary))
    return [f"CloudFormation works with the role {service_role}; roles in the stack have the boundary {boundary}"]


def hint_options(stacks: Stacks) -> str:
    """The options that other commands need for the same stack, as a user types them; with a space before, or empty."""
    from dockercise_prefect.aws.names import DEFAULT_STACK

    access = stacks.account.access
    named = {
        "--name": None if stacks.names.stack == DEFAULT_STACK else stacks.names.stack,
        "--region": access.region,
        "--profile": access.profile,
        "--role": access.role,
        "--external-id": "…" if access.external_id else None,
    }
    return "".join(f" {option} {value}" for option, value in named.items() if value)


class Duration(click.ParamType[float]):
    """A duration, such as 30m, in seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the text.

        Raises:
            UsageError: it is not a duration.
        """
        del param, ctx
        seconds = value if isinstance(value, int | float) else seconds_of(str(value))
        if not seconds:
            raise UsageError(f"`{value}` is not a duration", "write it as 30m, 2h or 1h30m")
        return float(seconds)


def _template() -> str:
    from dockercise_prefect.aws.stack.rendering import template

    return template()
