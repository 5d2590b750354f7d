"""A door on loopback: what its stack would make, on moto's server, and its function URL."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3  # type: ignore[import-untyped]  # has no types
import httpx

from dockercise_prefect.aws.names import StackNames
from dockercise_prefect.aws.parameters import StackParameters
from dockercise_prefect.aws.stack.door import Door, Names
from tests.support.aws.function_url import function_url
from tests.support.aws.moto import FOLDER_KEY_ID, FOLDER_SECRET, REGION, Aws
from tests.webhook.payloads import SECRET, Sent

NAME = "acme-infra-1a2b3c4d"
SILENT_HOURS = 12


@dataclass
class Clock:
    """A clock that stands still. It starts at a time that is later than everything that has happened."""

    now: float = 4_000_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class DoorWorld:
    """The parts of a stack, and the door. The host is asleep."""

    aws: Aws
    names: Names
    door: Door
    url: str
    clock: Clock
    parameters: StackParameters
    taken: list[str] = field(default_factory=list)

    def send(self, sent: Sent) -> httpx.Response:
        """Send a request to the function URL."""
        return httpx.post(self.url, headers=dict(sent.headers), content=sent.body, timeout=60)

    def messages(self) -> Sequence[Any]:
        """The messages of the queue, in order, without removing them."""
        client, found = self.client("sqs"), []
        while batch := client.receive_message(QueueUrl=self.names.queue, MaxNumberOfMessages=10, VisibilityTimeout=600).get(
            "Messages"
        ):
            found += [json.loads(one["Body"]) for one in batch]
        return found

    def client(self, service: str) -> Any:
        """A client for the account of the stack."""
        return _client(self.aws.url, service)

    @property
    def host_state(self) -> str:
        """The state of the instance."""
        answer = self.client("ec2").describe_instances(InstanceIds=[self.names.host])
        return str(answer["Reservations"][0]["Instances"][0]["State"]["Name"])

    def start_host(self) -> None:
        """Start the instance, as somebody else may do. The door's clock is then the time of the start."""
        ec2 = self.client("ec2")
        ec2.start_instances(InstanceIds=[self.names.host])
        answer = ec2.describe_instances(InstanceIds=[self.names.host])
        self.clock.now = answer["Reservations"][0]["Instances"][0]["LaunchTime"].timestamp()

    def report(self, **values: Any) -> None:
        """Write the host's report."""
        self.client("ssm").put_parameter(
            Name=f"{self.names.parameters}/report", Value=json.dumps(values), Type="String", Overwrite=True
        )


@contextmanager
def door_world(aws: Aws, stack: str, ec2_url: str | None = None) -> Iterator[DoorWorld]:
    """Make the parts of a stack, and serve its door.

    Args:
        aws: where.
        stack: the name of the stack.
        ec2_url: another address of EC2, for the door alone.
    """
    names = _made(aws, StackNames(stack))
    clock = Clock()
    door = Door(names, lambda service: _client((ec2_url if service == "ec2" else None) or aws.url, service), clock)
    parameters = StackParameters(_client(aws.url, "ssm"), StackNames(stack))
    parameters.save_secret(NAME, SECRET)
    with function_url(lambda event, request_id: door.receive(event, request_id).to_lambda()) as url:
        yield DoorWorld(aws, names, door, url, clock, parameters)


@functools.cache
def _client(url: str, service: str) -> Any:
    """A client for all tests: to make one takes longer than most of them."""
    keys = {"aws_access_key_id": FOLDER_KEY_ID, "aws_secret_access_key": FOLDER_SECRET, "region_name": REGION}
    return boto3.client(service, endpoint_url=url, **keys)


def _made(aws: Aws, stack: StackNames) -> Names:
    queue = _client(aws.url, "sqs").create_queue(QueueName=stack.queue, Attributes={"FifoQueue": "true"})["QueueUrl"]
    bucket = f"bucket-{hashlib.sha256(stack.stack.encode()).hexdigest()[:16]}"
    aws.bucket(bucket)
    ec2 = _client(aws.url, "ec2")
    (instance,) = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"]
    ec2.stop_instances(InstanceIds=[instance["InstanceId"]])
    for name, value in {"wake-at": "never", "awake-until": "0", "report": "{}"}.items():
        _client(aws.url, "ssm").put_parameter(Name=stack.parameter(name), Value=value, Type="String")
    return Names(instance["InstanceId"], queue, bucket, stack.parameter().rstrip("/"), SILENT_HOURS)
