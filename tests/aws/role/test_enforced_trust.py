"""Who gets into a customer's account, on an emulator that enforces trusts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3  # type: ignore[import-untyped]  # has no types
import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.role.customers import Customers
from dockercise_prefect.aws.role.making import make_role
from dockercise_prefect.aws.role.template import Trust
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

    def assume(self, user: str, **given: str) -> str:
        """Assume the role as a user. Return the ARN that one then has."""
        key, secret = self.keys[user]
        sts = boto3.client(
            "sts", endpoint_url=self.aws.url, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret
        )
        return str(sts.assume_role(RoleArn=self.role, RoleSessionName="job", **given)["AssumedRoleUser"]["Arn"])


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
    assert ":assumed-role/access-for-dockercise/job" in world.assume("ours", ExternalId=world.ids["acme"])


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


def test_a_role_that_is_as_it_should_be_is_left_alone(world: World) -> None:
    """Made again with the same trust, the stack does not change."""
    assert world.said == [
        "making the stack access-for-dockercise",
        "nothing to do: the stack access-for-dockercise is as it should be",
    ]
