"""The names of a stack and of all that belongs to it. The command line, the door and the host find each other by them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from dockercise_prefect.errors import UsageError
from dockercise_prefect.webhook.payload.address import canonical

DEFAULT_STACK = "dockercise"

METRICS = "dockercise"
"""The namespace of the host's metrics. They have the dimension `Stack`."""

DISK_METRIC = "DiskUsedPercent"
AWAKE_METRIC = "AwakeMinutes"

COST_TAG = "dockercise"
"""The tag of all resources of a stack. Its value is the name of the stack."""

JOB_USER = "dockercise-job"
"""The user of the host that jobs of another account log in as. It may use the engine, and nothing else."""

_STACK = re.compile(r"dockercise(-[a-z0-9-]+)?", re.ASCII)
_LONGEST_STACK = 40
_LONGEST_REPOSITORY = 60


@dataclass(frozen=True, slots=True)
class StackNames:
    """The names of one stack.

    Args:
        stack: `dockercise`, or a name that begins with `dockercise-`. So one policy for `stack/dockercise*` covers all stacks.
            At most 40 letters in lower case, digits and dashes.

    Raises:
        UsageError: the name does not follow these rules.
    """

    stack: str = DEFAULT_STACK

    def __post_init__(self) -> None:
        if not _STACK.fullmatch(self.stack) or len(self.stack) > _LONGEST_STACK:
            raise UsageError(
                f"`{self.stack}` cannot be the name of a stack",
                "use `dockercise`, or `dockercise-` and letters in lower case, digits and dashes, "
                f"at most {_LONGEST_STACK} characters",
            )

    def parameter(self, *parts: str) -> str:
        """The full name of a parameter in SSM: `/dockercise/STACK/secrets/NAME`."""
        return "/".join(("", "dockercise", self.stack, *parts))

    @property
    def queue(self) -> str:
        """The queue of the pushes."""
        return f"{self.stack}-pushes.fifo"

    @property
    def lost(self) -> str:
        """The queue of the pushes that could not be carried out."""
        return f"{self.stack}-lost.fifo"

    @property
    def door(self) -> str:
        """The Lambda function that receives pushes."""
        return f"{self.stack}-door"

    @property
    def log_group(self) -> str:
        """The log group of the stages."""
        return f"dockercise/{self.stack}"

    @property
    def host_log_group(self) -> str:
        """The log group of the host itself."""
        return f"{self.log_group}/host"

    @property
    def door_log_group(self) -> str:
        """The log group of the door."""
        return f"/aws/lambda/{self.door}"


def results_place(bucket: str) -> str:
    """The place of the records in a stack's bucket, as the setting `results` names it."""
    return f"s3://{bucket}/results"


def repository_name(address: str) -> str:
    """The name of a repository's parameters: `acme-infra-1a2b3c4d`. No two repositories have the same name.

    Args:
        address: the address of the repository, in any form that git accepts.

    Raises:
        UsageError: the text is not an address.
    """
    try:
        whole = canonical(address)
    except ValueError as error:
        raise UsageError(f"`{address}` is not an address of a repository", "give an https or ssh URL") from error
    words = re.sub(r"[^A-Za-z0-9_.-]+", "-", "-".join(whole.split("/")[-2:])).strip("-.")[:_LONGEST_REPOSITORY]
    return f"{words}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"
