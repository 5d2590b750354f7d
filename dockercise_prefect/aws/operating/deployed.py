"""A stack of CloudFormation as it is now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.account import calling
from dockercise_prefect.errors import NothingToDoError

_NEVER_MADE = frozenset({"REVIEW_IN_PROGRESS", "CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"})
"""States in which a stack has never worked and can only be deleted (CloudFormation's documentation, Stack status codes)."""

_STUCK = frozenset({"UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A stack.

    Attributes:
        id: its ARN, which also finds a stack that was deleted.
        status: CloudFormation's word, such as `CREATE_COMPLETE`.
        created: when it was made.
        reason: what CloudFormation says about the status; empty for nothing.
        parameters: the values of its parameters.
        outputs: the values of its outputs.
    """

    id: str
    name: str
    status: str
    created: datetime
    reason: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def was_never_made(self) -> bool:
        """Whether only the remains of a failed create are there."""
        return self.status in _NEVER_MADE

    @property
    def is_changing(self) -> bool:
        """Whether CloudFormation is making, changing or deleting it."""
        return self.status.endswith("_IN_PROGRESS") and not self.was_never_made

    @property
    def is_stuck(self) -> bool:
        """Whether it needs help before it can be changed."""
        return self.status in _STUCK

    def output(self, name: str) -> str:
        """The value of an output; empty if the stack does not have it."""
        return self.outputs.get(name, "")


def find_stack(client: Any, name: str) -> Deployed | None:
    """The stack with that name or ARN; None if there is none.

    Args:
        client: boto3's client for CloudFormation.
        name: its name. A stack that was deleted is found by its ARN only.

    Raises:
        StorageError: AWS does not answer, or refuses.
    """
    with calling(f"cannot look for the stack {name}", "cloudformation:DescribeStacks"):
        try:
            (found,) = client.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            # The name is valid, so this can only mean that the stack does not exist.
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            return None
    return Deployed(
        id=found["StackId"],
        name=found["StackName"],
        status=found["StackStatus"],
        created=found["CreationTime"],
        reason=found.get("StackStatusReason", ""),
        parameters={one["ParameterKey"]: one.get("ParameterValue", "") for one in found.get("Parameters", [])},
        outputs={one["OutputKey"]: one.get("OutputValue", "") for one in found.get("Outputs", [])},
    )


def needed_stack(client: Any, name: str) -> Deployed:
    """The stack with that name, which works.

    Raises:
        NoStackError: the stack does not exist, or was never made.
        StorageError: AWS does not answer, or refuses.
    """
    found = find_stack(client, name)
    if found is None or found.was_never_made:
        raise NoStackError(name, client.meta.region_name)
    return found


class NoStackError(NothingToDoError):
    """The stack does not exist in the region."""

    def __init__(self, name: str, region: str) -> None:
        super().__init__(
            f"there is no stack {name} in {region}",
            "`dockercise aws up` makes one; --region and --name choose another one",
        )
