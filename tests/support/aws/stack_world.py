"""An account of AWS on loopback in which the commands make stacks.

MiniStack serves CloudFormation and what is in a stack, and moto serves EC2, which MiniStack does not have. An instance exists
beforehand, and a scripted host plays its part.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.names import StackNames
from dockercise_prefect.aws.parameters import StackParameters
from tests.support.aws.ministack import MiniStack
from tests.support.aws.moto import REGION
from tests.support.aws.scripted_host import ScriptedHost, running_host
from tests.support.command import Command, Outcome

PACKAGE = "dockercise-prefect==0.1.0"


@dataclass
class StackWorld:
    """One stack, its host, and the commands for it.

    Attributes:
        instance: the id of the host's instance.
    """

    names: StackNames
    instance: str
    host: ScriptedHost
    call: Command
    clients: dict[str, Any] = field(default_factory=dict)

    @property
    def machine(self) -> tuple[str, ...]:
        """The options that tell a new stack to use the instance that exists."""
        values = {"HostId": self.instance, "ImageId": "ami-0a", "VolumeId": "vol-0a", "Zone": f"{REGION}a"}
        return tuple(word for name, value in values.items() for word in ("--parameter", f"{name}={value}"))

    def up(self, *arguments: str) -> Outcome:
        """Run `dockercise aws up` for the first time."""
        return self.again(*self.machine, *arguments)

    def again(self, *arguments: str) -> Outcome:
        """Run `dockercise aws up` for a stack that exists."""
        return self.verb("up", *arguments, "--package", PACKAGE, "--yes")

    def verb(self, verb: str, *arguments: str) -> Outcome:
        """Run `dockercise aws VERB`."""
        return self.call("aws", verb, *arguments, "--name", self.names.stack)

    def client(self, service: str) -> Any:
        """A client for a service."""
        if service not in self.clients:
            self.clients[service] = boto3.client(service)
        return self.clients[service]

    def parameters(self) -> StackParameters:
        """The parameters of the stack."""
        return StackParameters(self.client("ssm"), self.names)

    def stack(self) -> Mapping[str, Any] | None:
        """The stack as CloudFormation has it; None if there is none."""
        found = self.client("cloudformation").describe_stacks()["Stacks"]
        return next((one for one in found if one["StackName"] == self.names.stack), None)

    def state(self) -> str:
        """The state of the instance."""
        return _state(self.client("ec2"), self.instance)

    def bucket(self) -> str:
        """The bucket of the stack."""
        found = self.stack()
        assert found is not None
        return str(next(one["OutputValue"] for one in found["Outputs"] if one["OutputKey"] == "ResultsBucket"))

    def webhook(self) -> str:
        """The address that pushes are sent to."""
        found = self.stack()
        assert found is not None
        return str(next(one["OutputValue"] for one in found["Outputs"] if one["OutputKey"] == "WebhookUrl"))


def environment(ministack: MiniStack, ec2: str) -> Mapping[str, str]:
    """The variables with which boto3 uses both servers."""
    return {**ministack.environment(), "AWS_ENDPOINT_URL_EC2": ec2, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


@contextmanager
def running_stack_world(command: Command) -> Iterator[StackWorld]:
    """A name for a stack that no other test uses, and an instance for its host. The environment must be set."""
    ec2 = boto3.client("ec2")
    (instance,) = ec2.run_instances(ImageId="ami-0a", MinCount=1, MaxCount=1, InstanceType="t3.medium")["Instances"]
    ec2.stop_instances(InstanceIds=[instance["InstanceId"]])
    names = StackNames(f"dockercise-{uuid.uuid4().hex[:8]}")
    known = instance["InstanceId"]
    with running_host(boto3.client("ssm"), names, lambda: _state(ec2, known) == "running") as host:
        yield StackWorld(names, known, host, command)


def _state(ec2: Any, instance: str) -> str:
    (reservation,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"]
    return str(reservation["Instances"][0]["State"]["Name"])
