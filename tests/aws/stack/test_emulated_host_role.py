"""What the host's role allows, on an AWS that enforces roles: the calls that the host makes, and none for others' resources.

Left out is what MiniStack judges otherwise than AWS: log groups, whose names end in `:*` in a policy, and conditions on tags
and on the namespace of metrics.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3  # type: ignore[import-untyped]  # has no types
import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # has no types

from tests.aws.stack.emulated import EmulatedStack, new_stack
from tests.support.aws.ministack import REGION, MiniStack

pytestmark = pytest.mark.docker  # for the server

Client = Callable[[str], Any]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def stack(ministack: MiniStack) -> EmulatedStack:
    """A stack that has been made."""
    made = new_stack(ministack, "dockercise-host")
    assert made.create() == "CREATE_COMPLETE"
    return made


@pytest.fixture(scope="module")
def other(ministack: MiniStack) -> EmulatedStack:
    """Another stack of the account."""
    made = new_stack(ministack, "dockercise-other")
    assert made.create() == "CREATE_COMPLETE"
    made.parameters.save_secret("acme-infra-00000000", "secret of another")
    return made


@pytest.fixture
def host(stack: EmulatedStack) -> Iterator[Client]:
    """Clients with the credentials of the host. Only here, the administrator may take its role: there is no instance."""
    role = stack.client("iam").get_role(RoleName=stack.resources()["HostRole"])["Role"]
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    stack.client("iam").update_assume_role_policy(RoleName=role["RoleName"], PolicyDocument=document)
    keys = stack.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="host")["Credentials"]
    session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], REGION)
    policy = stack.policy("HostRole")
    yield lambda service: session.client(service, endpoint_url=stack.aws.url)
    stack.set_policy("HostRole", policy)


def receive(host: Client, stack: EmulatedStack) -> None:
    host("sqs").receive_message(QueueUrl=stack.outputs["QueueUrl"])


def delete(host: Client, stack: EmulatedStack) -> None:
    host("sqs").delete_message(QueueUrl=stack.outputs["QueueUrl"], ReceiptHandle=taken(stack))


def hold(host: Client, stack: EmulatedStack) -> None:
    queue = stack.outputs["QueueUrl"]
    host("sqs").change_message_visibility(QueueUrl=queue, ReceiptHandle=taken(stack), VisibilityTimeout=30)


def count(host: Client, stack: EmulatedStack) -> None:
    host("sqs").get_queue_attributes(QueueUrl=stack.outputs["QueueUrl"], AttributeNames=["All"])


def lose(host: Client, stack: EmulatedStack) -> None:
    queue = stack.outputs["LostUrl"]
    host("sqs").send_message(QueueUrl=queue, MessageBody="{}", MessageGroupId="g", MessageDeduplicationId=str(next(_numbers)))


def put(host: Client, stack: EmulatedStack) -> None:
    host("s3").put_object(Bucket=stack.outputs["ResultsBucket"], Key="results/one", Body=b"1")


def get(host: Client, stack: EmulatedStack) -> None:
    bucket = stack.outputs["ResultsBucket"]
    for key in ("results/one", "inbox/one", "host/one"):
        stack.client("s3").put_object(Bucket=bucket, Key=key, Body=b"1")
        host("s3").get_object(Bucket=bucket, Key=key)


def abort(host: Client, stack: EmulatedStack) -> None:
    where = {"Bucket": stack.outputs["ResultsBucket"], "Key": "results/two"}
    upload = stack.client("s3").create_multipart_upload(**where)["UploadId"]
    host("s3").abort_multipart_upload(**where, UploadId=upload)


def names(host: Client, stack: EmulatedStack) -> None:
    host("s3").list_objects_v2(Bucket=stack.outputs["ResultsBucket"])


def read_settings(host: Client, stack: EmulatedStack) -> None:
    host("ssm").get_parameter(Name=stack.names.parameter("host"))


def read_folders(host: Client, stack: EmulatedStack) -> None:
    for folder in ("repositories", "secrets"):
        host("ssm").get_parameters_by_path(Path=stack.names.parameter(folder), WithDecryption=True)


def write_notes(host: Client, stack: EmulatedStack) -> None:
    for name, value in {"wake-at": "never", "report": "{}"}.items():
        host("ssm").put_parameter(Name=stack.names.parameter(name), Value=value, Type="String", Overwrite=True)


CALLS: dict[str, Callable[[Client, EmulatedStack], None]] = {
    "sqs:ReceiveMessage": receive,
    "sqs:DeleteMessage": delete,
    "sqs:ChangeMessageVisibility": hold,
    "sqs:GetQueueAttributes": count,
    "sqs:SendMessage": lose,
    "s3:PutObject": put,
    "s3:GetObject": get,
    "s3:AbortMultipartUpload": abort,
    "s3:ListBucket": names,
    "ssm:GetParameter": read_settings,
    "ssm:GetParametersByPath": read_folders,
    "ssm:PutParameter": write_notes,
}

OTHERS: dict[str, Callable[[Client, EmulatedStack, EmulatedStack], object]] = {
    "read a secret of another stack": lambda host, _, other: host("ssm").get_parameter(
        Name=other.names.parameter("secrets", "acme-infra-00000000"), WithDecryption=True
    ),
    "read results of another stack": lambda host, _, other: host("s3").list_objects_v2(Bucket=other.outputs["ResultsBucket"]),
    "take pushes of another stack": lambda host, _, other: host("sqs").receive_message(QueueUrl=other.outputs["QueueUrl"]),
    "keep itself awake": lambda host, stack, _: host("ssm").put_parameter(
        Name=stack.names.parameter("awake-until"), Value="9", Type="String", Overwrite=True
    ),
    "change its settings": lambda host, stack, _: host("ssm").put_parameter(
        Name=stack.names.parameter("host"), Value="{}", Type="String", Overwrite=True
    ),
    "send pushes": lambda host, stack, _: host("sqs").send_message(
        QueueUrl=stack.outputs["QueueUrl"], MessageBody="{}", MessageGroupId="g", MessageDeduplicationId="d"
    ),
    "write its package": lambda host, stack, _: host("s3").put_object(
        Bucket=stack.outputs["ResultsBucket"], Key="host/one", Body=b"1"
    ),
    "delete results": lambda host, stack, _: host("s3").delete_object(Bucket=stack.outputs["ResultsBucket"], Key="results/one"),
    "start instances": lambda host, stack, _: host("ec2").start_instances(InstanceIds=[stack.host]),
}


@pytest.mark.parametrize("action", CALLS)
def test_host_needs_each_of_its_permissions(host: Client, stack: EmulatedStack, action: str) -> None:
    """The host can make a call, and without the action of its role it cannot."""
    CALLS[action](host, stack)
    stack.take_away("HostRole", action)

    with pytest.raises(ClientError) as refused:
        CALLS[action](host, stack)

    assert "AccessDenied" in str(refused.value)


@pytest.mark.parametrize("wish", OTHERS)
def test_host_may_do_nothing_else(host: Client, stack: EmulatedStack, other: EmulatedStack, wish: str) -> None:
    """The host can neither use other stacks nor change what it shall only read."""
    with pytest.raises(ClientError, match=r"AccessDenied|UnauthorizedOperation"):
        OTHERS[wish](host, stack, other)


def taken(stack: EmulatedStack) -> str:
    """The receipt of a message that somebody has taken."""
    client, queue = stack.client("sqs"), stack.outputs["QueueUrl"]
    identity = str(next(_numbers))
    client.send_message(QueueUrl=queue, MessageBody="{}", MessageGroupId=identity, MessageDeduplicationId=identity)
    return str(client.receive_message(QueueUrl=queue)["Messages"][0]["ReceiptHandle"])
