"""A stack in a customer's account, made by the operator with the customer's role, on an emulator with both accounts.

MiniStack enforces the trust, the external id and the rights of the role. It does not enforce the role that CloudFormation works
with, so the tests look into the requests: each change names this role.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3  # type: ignore[import-untyped]  # has no types
import pytest

from dockercise_prefect.aws.names import StackNames
from tests.support.aws.ministack import MiniStack
from tests.support.aws.moto import REGION
from tests.support.aws.recorder import Recorder, recording
from tests.support.aws.scripted_host import running_host
from tests.support.aws.stack_world import PACKAGE
from tests.support.command import Command, Outcome

pytestmark = pytest.mark.docker  # for the server

OPERATOR, CUSTOMER = "111111111111", "222222222222"
"""The numbers of the accounts. To MiniStack, a key id that is such a number is the administrator of that account."""

ROLE = f"arn:aws:iam::{CUSTOMER}:role/access-for-dockercise"
CLOUDFORMATION_SAYS = (
    "CloudFormation works with the role access-for-dockercise-stacks; "
    "roles in the stack have the boundary access-for-dockercise-boundary"
)
MAY_ASSUME = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}
TELLS_EXTERNAL_ID = re.compile(r"aws role make (--principal \S+ --external-id (\S+))")


@dataclass(frozen=True)
class TwoAccounts:
    """The operator, the customer, and a stack that is not made yet.

    Attributes:
        keys: the credentials of each, by the number of the account.
        requests: what CloudFormation was asked.
        machine: the options that tell a new stack to use an instance that exists.
    """

    url: str
    call: Command
    keys: Mapping[str, tuple[str, str]]
    requests: Recorder
    names: StackNames
    machine: tuple[str, ...]

    def run(self, account: str, *arguments: str) -> Outcome:
        """Run `dockercise aws` with the credentials of an account."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", self.keys[account][0])
            patch.setenv("AWS_SECRET_ACCESS_KEY", self.keys[account][1])
            return self.call("aws", *arguments)

    def new_customer(self, name: str) -> tuple[tuple[str, ...], str]:
        """Add a customer. Returns the options of the customer's command, and the external id."""
        said = self.run(OPERATOR, "role", "new", name)
        found = TELLS_EXTERNAL_ID.search(said.out)
        assert found is not None, said
        return tuple(found[1].split()), found[2]

    def make_role(self, trust: tuple[str, ...]) -> Outcome:
        """Let the customer make the role.

        MiniStack takes the right to read a folder of parameters only for all parameters, and does not know with which role
        CloudFormation would work.
        """
        made = self.run(CUSTOMER, "role", "make", *trust)
        unknown = ["cloudformation:CreateChangeSet", "cloudformation:DeleteStack", "ssm:GetParametersByPath"]
        statement = {"Effect": "Allow", "Action": unknown, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        role = ROLE.rpartition("/")[2]
        self.client("iam", CUSTOMER).put_role_policy(RoleName=role, PolicyName="folders", PolicyDocument=policy)
        return made

    def verb(self, verb: str, *arguments: str) -> Outcome:
        """Run a command of the operator for the stack in the customer's account."""
        return self.run(OPERATOR, verb, "--name", self.names.stack, "--role", ROLE, *arguments)

    def up(self, *arguments: str) -> Outcome:
        """Run `dockercise aws up` for the stack."""
        return self.verb("up", "--package", PACKAGE, "--yes", *arguments)

    def client(self, service: str, account: str) -> Any:
        """A client for the administrator of an account."""
        return client(self.url, service, account)

    def stacks(self, account: str) -> dict[str, Mapping[str, Any]]:
        """The stacks of an account, by name."""
        found = self.client("cloudformation", account).describe_stacks()["Stacks"]
        return {one["StackName"]: one for one in found if one["StackStatus"] != "DELETE_COMPLETE"}


def client(url: str, service: str, key: str) -> Any:
    """A client with these credentials."""
    given = {"aws_access_key_id": key, "aws_secret_access_key": "x", "region_name": REGION}
    return boto3.client(service, endpoint_url=url, **given)


@pytest.fixture
def accounts(account: None, ministack: MiniStack, ec2: str, command: Command) -> Iterator[TwoAccounts]:
    """Both accounts, and the customer's host, which sleeps."""
    with two_accounts(ministack.url, ec2, command) as made:
        yield made
        for name in made.stacks(CUSTOMER):
            made.client("cloudformation", CUSTOMER).delete_stack(StackName=name)


@contextmanager
def two_accounts(url: str, ec2: str, command: Command) -> Iterator[TwoAccounts]:
    """See the fixture."""
    machines = client(ec2, "ec2", CUSTOMER)
    (instance,) = machines.run_instances(ImageId="ami-0a", MinCount=1, MaxCount=1, InstanceType="t3.medium")["Instances"]
    known = instance["InstanceId"]
    machines.stop_instances(InstanceIds=[known])

    def is_awake() -> bool:
        (found,) = machines.describe_instances(InstanceIds=[known])["Reservations"]
        return bool(found["Instances"][0]["State"]["Name"] == "running")

    names = StackNames(f"dockercise-{known[-8:]}")
    values = {"HostId": known, "ImageId": "ami-0a", "VolumeId": "vol-0a", "Zone": f"{REGION}a"}
    options = tuple(word for name, value in values.items() for word in ("--parameter", f"{name}={value}"))
    keys = {OPERATOR: user(url, f"ops-{known}"), CUSTOMER: (CUSTOMER, "x")}
    with (
        running_host(client(url, "ssm", CUSTOMER), names, is_awake),
        recording(url) as requests,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", requests.url)
        yield TwoAccounts(url, command, keys, requests, names, options)


def user(url: str, name: str) -> tuple[str, str]:
    """A new user of the operator, who may assume every role that lets it in."""
    iam = client(url, "iam", OPERATOR)
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="assume", PolicyDocument=json.dumps(MAY_ASSUME))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def test_a_stack_in_the_customers_account(accounts: TwoAccounts) -> None:
    """With the customer's role, the operator makes the stack in the customer's account, shows it, and takes it away."""
    trust, external_id = accounts.new_customer("acme")
    made = accounts.make_role(trust)
    given = ("--external-id", external_id)

    first = accounts.up(*given, *accounts.machine)
    (stack,) = [one for name, one in accounts.stacks(CUSTOMER).items() if name == accounts.names.stack]
    again = accounts.up(*given)
    status = accounts.verb("status", *given)
    down = accounts.verb("down", *given, "--yes")

    assert made.out == f"{ROLE}\n"
    assert first.status == 0, first
    assert first.out.splitlines()[:2] == [
        f"account {CUSTOMER} · {REGION} · arn:aws:sts::{CUSTOMER}:assumed-role/access-for-dockercise/dockercise",
        CLOUDFORMATION_SAYS,
    ]
    assert f"dockercise aws status --name {accounts.names.stack} --role {ROLE} --external-id …" in first.out
    values = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
    assert values["RoleBoundary"] == f"arn:aws:iam::{CUSTOMER}:policy/access-for-dockercise-boundary"
    assert accounts.names.stack not in accounts.stacks(OPERATOR)
    assert (again.status, again.out.splitlines()[-1]) == (0, "nothing to do")
    assert (status.status, f"stack       {accounts.names.stack} · CREATE_COMPLETE" in status.out) == (0, True)
    assert down.status == 0, down
    assert accounts.names.stack not in accounts.stacks(CUSTOMER)
    changes = [*accounts.requests.called("CreateChangeSet"), *accounts.requests.called("DeleteStack")]
    assert [call.given.get("RoleARN") for call in changes] == [f"{ROLE}-stacks"] * 3
    assert external_id not in f"{first}{again}{status}{down}"


def test_who_does_not_know_the_external_id_makes_nothing(accounts: TwoAccounts) -> None:
    """Without the external id, with a wrong one, or with that of another customer, AWS refuses, and nothing is made."""
    trust, _ = accounts.new_customer("acme")
    _, another = accounts.new_customer("umbrella")
    accounts.make_role(trust)
    before = accounts.stacks(CUSTOMER)

    refused = [accounts.up(*given, *accounts.machine) for given in ((), ("--external-id", "guess"), ("--external-id", another))]

    for one in refused:
        assert (one.status, one.out) == (3, "")
        assert f"not authorized to perform: sts:AssumeRole on resource: {ROLE}" in one.err
        assert "hint: check the role and the external id" in one.err
        assert another not in one.err
    assert accounts.stacks(CUSTOMER) == before
    assert accounts.requests.called("CreateChangeSet") == []


def test_another_role_is_used_as_it_is(accounts: TwoAccounts) -> None:
    """With a role that our template has not made, CloudFormation works with the rights of this role."""
    iam = accounts.client("iam", CUSTOMER)
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OPERATOR}:root"}, "Action": "sts:AssumeRole"}
    policy = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam.create_role(RoleName="admin", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    iam.put_role_policy(
        RoleName="admin", PolicyName="all", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    )

    said = accounts.run(
        OPERATOR,
        *("up", "--name", accounts.names.stack, "--role", f"arn:aws:iam::{CUSTOMER}:role/admin"),
        *("--package", PACKAGE, "--yes", *accounts.machine),
    )

    (made,) = accounts.requests.called("CreateChangeSet")
    assert said.status == 0, said
    assert "CloudFormation works with" not in said.out
    assert "RoleARN" not in made.given
    assert accounts.names.stack in accounts.stacks(CUSTOMER)


def test_what_the_stack_keeps_is_the_customers_to_delete(accounts: TwoAccounts) -> None:
    """With the customer's role, `--everything` is refused before anything is taken away: the role cannot delete records."""
    trust, external_id = accounts.new_customer("acme")
    accounts.make_role(trust)
    accounts.up("--external-id", external_id, *accounts.machine)

    said = accounts.verb("down", "--external-id", external_id, "--everything")

    assert said.status == 2
    assert "this role may not delete records" in said.err
    assert accounts.names.stack in accounts.stacks(CUSTOMER)
