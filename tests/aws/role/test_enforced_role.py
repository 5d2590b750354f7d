"""Who gets into a customer's account, and what they may do there, on an emulator that enforces trusts and policies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]  # has no types
import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.names import StackNames
from dockercise_prefect.aws.role.customers import Customers
from dockercise_prefect.aws.role.making import make_role
from dockercise_prefect.aws.role.template import STACK, Trust
from tests.support.aws.ministack import REGION, MiniStack, running_ministack

pytestmark = pytest.mark.docker  # for the server

MAY_ASSUME = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}


@dataclass(frozen=True)
class World:
    """The role of the customer acme, and two users who may assume any role that trusts them."""

    aws: MiniStack
    role: str
    said: list[str]
    ids: dict[str, str]
    keys: dict[str, tuple[str, str]]

    def assume(self, user: str, **given: str) -> Any:
        """Assume the role as a user. Return the answer, with credentials."""
        key, secret = self.keys[user]
        sts = boto3.client(
            "sts", endpoint_url=self.aws.url, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret
        )
        return sts.assume_role(RoleArn=self.role, RoleSessionName="job", **given)

    def inside(self, service: str) -> Any:
        """A client with the rights of the role."""
        given = self.assume("ours", ExternalId=self.ids["acme"])["Credentials"]
        return boto3.client(
            service,
            endpoint_url=self.aws.url,
            region_name=REGION,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The role trusts the user `ours` with the external id of acme."""
    folder: Path = tmp_path_factory.mktemp("trust")
    customers = Customers(folder / "data")
    ids = {name: customers.add(name).external_id for name in ("acme", "umbrella")}
    with running_ministack(folder / "log") as aws:
        iam, keys, arns = aws.client("iam"), {}, {}
        for user in ("ours", "stranger"):
            arns[user] = iam.create_user(UserName=user)["User"]["Arn"]
            iam.put_user_policy(UserName=user, PolicyName="assume", PolicyDocument=json.dumps(MAY_ASSUME))
            key = iam.create_access_key(UserName=user)["AccessKey"]
            keys[user] = (key["AccessKeyId"], key["SecretAccessKey"])
        said: list[str] = []
        trust = Trust([arns["ours"]], ids["acme"])
        role = make_role(aws.client("cloudformation"), trust, said.append)
        assert make_role(aws.client("cloudformation"), trust, said.append) == role
        yield World(aws, role, said, ids, keys)


def test_the_principal_with_the_external_id_gets_in(world: World) -> None:
    """Whoever the trust names, and knows the id of this customer, has the role."""
    who = world.assume("ours", ExternalId=world.ids["acme"])["AssumedRoleUser"]["Arn"]

    assert ":assumed-role/access-for-dockercise/job" in who


@pytest.mark.parametrize("whose", ["nobody", "umbrella", "guess"])
def test_a_missing_wrong_or_other_id_is_refused(world: World, whose: str) -> None:
    """Without an id, with the id of another customer, or with a guess, the role is closed."""
    external = {"nobody": {}, "umbrella": {"ExternalId": world.ids["umbrella"]}, "guess": {"ExternalId": "acme"}}[whose]

    with pytest.raises(ClientError) as raised:
        world.assume("ours", **external)

    assert raised.value.response["Error"]["Code"] == "AccessDenied"


def test_somebody_else_who_knows_the_id_is_refused(world: World) -> None:
    """The id alone opens nothing."""
    with pytest.raises(ClientError) as raised:
        world.assume("stranger", ExternalId=world.ids["acme"])

    assert raised.value.response["Error"]["Code"] == "AccessDenied"


def code_of(call: Callable[..., Any], **given: Any) -> str:
    """The error code of a call; empty if it succeeds."""
    try:
        call(**given)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@pytest.mark.parametrize(
    ("service", "operation", "given"),
    [
        ("iam", "put_role_policy", {"RoleName": STACK, "PolicyName": "more", "PolicyDocument": json.dumps(MAY_ASSUME)}),
        ("iam", "update_assume_role_policy", {"RoleName": STACK, "PolicyDocument": "{}"}),
        ("iam", "create_role", {"RoleName": "dockercise-admin", "AssumeRolePolicyDocument": json.dumps(MAY_ASSUME)}),
        ("iam", "create_access_key", {"UserName": "stranger"}),
        ("cloudformation", "delete_stack", {"StackName": STACK}),
        ("cloudformation", "create_change_set", {"StackName": "shop", "ChangeSetName": "x", "TemplateBody": "{}"}),
        ("ssm", "get_parameter", {"Name": "/shop/password"}),
        ("ssm", "put_parameter", {"Name": "/shop/password", "Value": "x", "Type": "String"}),
        ("s3", "list_objects_v2", {"Bucket": "shop"}),
        ("s3", "create_bucket", {"Bucket": "dockercise-more"}),
        ("sqs", "create_queue", {"QueueName": "dockercise-more"}),
    ],
)
def test_the_role_reaches_nothing_else(world: World, service: str, operation: str, given: dict[str, Any]) -> None:
    """The role changes neither itself nor other roles, stacks, parameters or buckets of the account."""
    assert code_of(getattr(world.inside(service), operation), **given) in {"AccessDenied", "AccessDeniedException"}


def test_the_role_reaches_what_belongs_to_stacks(world: World) -> None:
    """Parameters below /dockercise/ are written and read."""
    client = world.inside("ssm")
    name = StackNames().parameter("awake-until")

    client.put_parameter(Name=name, Value="17", Type="String")
    value = client.get_parameter(Name=name)["Parameter"]["Value"]

    assert value == "17"


def test_a_role_that_is_as_it_should_be_is_left_alone(world: World) -> None:
    """Made again with the same trust, the stack does not change."""
    assert world.said == [
        "making the stack access-for-dockercise",
        "nothing to do: the stack access-for-dockercise is as it should be",
    ]
