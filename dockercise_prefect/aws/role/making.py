"""Makes the customer's role with the customer's own credentials: one stack, again only if something has changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError, WaiterError  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.account import calling
from dockercise_prefect.aws.role.template import STACK, Trust, template_text
from dockercise_prefect.errors import StorageError

_WAITS = {"Delay": 5, "MaxAttempts": 120}
"""Seconds between two looks at the stack, and their number."""


def make_role(client: Any, trust: Trust, notify: Callable[[str], None]) -> str:
    """Make the role, or change it if it exists. Return its ARN.

    Args:
        client: boto3's client for CloudFormation, with the credentials of the customer.
        trust: whom the role trusts.
        notify: called with a message before something that takes long.

    Raises:
        StorageError: CloudFormation does not answer, or cannot make the stack. A stack that could not be made is removed
            again; one that could not be changed is as before.
    """
    request = {
        "StackName": STACK,
        "TemplateBody": template_text(),
        "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in trust.parameters.items()],
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    }
    with calling(f"cannot make the stack {STACK}", "cloudformation:CreateStack", "cloudformation:UpdateStack"):
        if _find(client) is None:
            notify(f"making the stack {STACK}")
            client.create_stack(**request, OnFailure="DELETE")
            _wait(client, "stack_create_complete")
        elif _update(client, request):
            notify(f"changing the stack {STACK}")
            _wait(client, "stack_update_complete")
        else:
            notify(f"nothing to do: the stack {STACK} is as it should be")
        made = _find(client) or {}
    outputs = {output["OutputKey"]: str(output["OutputValue"]) for output in made.get("Outputs", [])}
    return outputs["RoleArn"]


def _find(client: Any) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = client.describe_stacks(StackName=STACK)["Stacks"][0]
    except ClientError as error:
        # CloudFormation has no error code of its own for a stack that does not exist.
        if "does not exist" not in str(error.response.get("Error", {}).get("Message")):
            raise
        return None
    return found


def _update(client: Any, request: Mapping[str, Any]) -> bool:
    """Begin to change the stack. Return whether anything has to be changed."""
    try:
        client.update_stack(**request)
    except ClientError as error:
        # CloudFormation has no error code of its own for this either.
        if "No updates are to be performed" not in str(error.response.get("Error", {}).get("Message")):
            raise
        return False
    return True


def _wait(client: Any, until: str) -> None:
    try:
        client.get_waiter(until).wait(StackName=STACK, WaiterConfig=_WAITS)
    except WaiterError as error:
        hint = f"the events of the stack {STACK} in the console of CloudFormation say why; you need rights to make roles"
        raise StorageError(f"CloudFormation could not make the stack {STACK}", hint) from error
