"""The host as EC2 sees it: its state, starting, stopping, and what it printed while it booted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.account import calling
from dockercise_prefect.errors import StorageError

CONSOLE_MARK = "dockercise:"
"""The lines of the first boot that are for the user begin with this."""

_LATER = frozenset({"IncorrectInstanceState", "InsufficientInstanceCapacity", "InsufficientHostCapacity", "IncorrectState"})
"""Answers that mean that a start may succeed later: the host is still stopping, or the zone has no room."""

_MOMENT = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)")


class HostState(StrEnum):
    """EC2's words for the state of an instance."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class Instance:
    """The host.

    Attributes:
        since: when it came into this state; None if EC2 does not say.
        kind: the type of the instance, such as `t3.medium`.
    """

    id: str
    state: HostState
    since: datetime | None
    kind: str

    @property
    def is_awake(self) -> bool:
        """Whether it runs, or will soon."""
        return self.state in {HostState.PENDING, HostState.RUNNING}


class HostGoneError(StorageError):
    """Somebody has terminated the host. CloudFormation does not notice that, so no change of the stack makes another one."""

    def __init__(self, instance: str) -> None:
        hint = "`dockercise aws down`, then `dockercise aws up`: the bucket stays, and the volume is used again"
        super().__init__(f"the host {instance} was terminated, not by dockercise", hint)


class StackInstance:
    """The instance of a stack. Methods raise `StorageError` if AWS does not answer, and `RefusedError` if it refuses.

    Args:
        client: boto3's client for EC2.
        instance_id: the id of the instance.
    """

    def __init__(self, client: Any, instance_id: str) -> None:
        self._client = client
        self._id = instance_id

    def look(self) -> Instance:
        """The instance as it is now.

        Raises:
            HostGoneError: somebody has terminated it some time ago.
        """
        with calling(f"cannot look at the host {self._id}", "ec2:DescribeInstances"):
            try:
                answer = self._client.describe_instances(InstanceIds=[self._id])
            except ClientError as error:
                if error.response["Error"]["Code"] == "InvalidInstanceID.NotFound":
                    raise HostGoneError(self._id) from error
                raise
        found = [instance for reservation in answer["Reservations"] for instance in reservation["Instances"]]
        state = HostState(found[0]["State"]["Name"])
        return Instance(self._id, state, _since(found[0], state), str(found[0]["InstanceType"]))

    def start(self) -> bool:
        """Start it. Returns False if that is not possible now: then the door tries again every few minutes.

        Raises:
            HostGoneError: somebody has terminated it.
        """
        with calling(f"cannot start the host {self._id}", "ec2:StartInstances"):
            try:
                self._client.start_instances(InstanceIds=[self._id])
            except ClientError as error:
                if error.response["Error"]["Code"] not in _LATER:
                    raise
                if self.look().state in {HostState.SHUTTING_DOWN, HostState.TERMINATED}:
                    raise HostGoneError(self._id) from error
                return False
        return True

    def stop(self) -> None:
        """Stop it as its power button would: its services end in order."""
        with calling(f"cannot stop the host {self._id}", "ec2:StopInstances"):
            self._client.stop_instances(InstanceIds=[self._id])

    def console(self) -> list[str]:
        """What its first boot has printed for the user so far, without the mark."""
        with calling(f"cannot read the console of the host {self._id}", "ec2:GetConsoleOutput"):
            text = str(self._client.get_console_output(InstanceId=self._id, Latest=True).get("Output") or "")
        return marked_lines(text)


def marked_lines(console: str) -> list[str]:
    """The lines of a console that are for the user, without their mark and what the system puts before it."""
    found = (line.partition(CONSOLE_MARK) for line in console.splitlines())
    return [said.strip() for _, mark, said in found if mark]


def _since(found: dict[str, Any], state: HostState) -> datetime | None:
    if state in {HostState.PENDING, HostState.RUNNING}:
        launched: datetime | None = found.get("LaunchTime")
        return launched
    match = _MOMENT.search(str(found.get("StateTransitionReason") or ""))
    return datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if match else None
