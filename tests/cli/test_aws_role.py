"""`aws role`, for whoever runs dockercise for customers and for the customers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockercise_prefect.aws.role.customers import Customers
from tests.support.aws.cfn import read_template
from tests.support.aws.moto import Aws, running_aws
from tests.support.command import Command

pytestmark = pytest.mark.docker  # for the server

OURS = "arn:aws:iam::111111111111:role/ci"
EXTERNAL_ID = "kQ3v9sT1xW5zB7nM2pL4cR6d"
ROLE = "arn:aws:iam::123456789012:role/access-for-dockercise"


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """An AWS on loopback, and a user with credentials for it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKERCISE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with running_aws() as running:
        running.write_folder(tmp_path / ".aws")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / ".aws/config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / ".aws/credentials"))
        yield running


def test_a_new_customer_gets_an_id_and_is_told_what_to_do(aws: Aws, command: Command, tmp_path: Path) -> None:
    """`new` stores an id, and prints the customer's command and the next one; `show` prints the same again."""
    done = command("aws", "role", "new", "acme", "--principal", OURS)

    external_id = Customers(tmp_path / "data").find("acme").external_id
    assert (done.status, done.err) == (0, "")
    assert f"  dockercise aws role make --principal {OURS} --external-id {external_id}\n" in done.out
    assert f"  dockercise aws up --role ARN --external-id {external_id}\n" in done.out
    assert command("aws", "role", "show", "acme", "--principal", OURS) == done


def test_the_caller_is_trusted_by_default(aws: Aws, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a principal, the trust is for the credentials that call."""
    aws.client("iam").create_user(UserName="ada")
    key = aws.client("iam").create_access_key(UserName="ada")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])

    done = command("aws", "role", "new", "acme")

    assert "--principal arn:aws:iam::123456789012:user/ada --external-id" in done.out


def test_customers_are_listed(aws: Aws, command: Command) -> None:
    """`list` prints the names and no id; without customers, there is nothing to do."""
    before = command("aws", "role", "list")
    for name in ("umbrella", "acme"):
        command("aws", "role", "new", name, "--principal", OURS)

    assert (before.status, before.out) == (4, "")
    assert command("aws", "role", "list").out == "acme\numbrella\n"


def test_a_customer_reads_the_template(command: Command) -> None:
    """`print` prints a template that trusts the principals, and needs neither credentials nor a region."""
    done = command("aws", "role", "print", "--principal", OURS, "--external-id", EXTERNAL_ID)

    assert done.status == 0
    assert read_template(done.out)["Parameters"]["Principals"]["Default"] == OURS


def test_a_customer_makes_the_role(aws: Aws, command: Command) -> None:
    """`make` makes a role with the specific name, whose trust names the principal and the external id."""
    done = command("aws", "role", "make", "--principal", OURS, "--external-id", EXTERNAL_ID)

    assert (done.status, done.out) == (0, f"{ROLE}\n")
    trust = aws.client("iam").get_role(RoleName="access-for-dockercise")["Role"]["AssumeRolePolicyDocument"]
    [statement] = trust["Statement"]
    assert statement["Principal"] == {"AWS": [OURS]}
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}}


def test_the_trust_of_a_role_is_changed(aws: Aws, command: Command) -> None:
    """A second `make` with another principal changes the trust, and prints the same role."""
    arguments = ("aws", "role", "make", "--external-id", EXTERNAL_ID, "--principal")
    command(*arguments, OURS)

    changed = command(*arguments, f"{OURS}-jobs")

    assert (changed.status, changed.out, changed.err) == (0, f"{ROLE}\n", "changing the stack access-for-dockercise\n")
    [stack] = aws.client("cloudformation").describe_stacks(StackName="access-for-dockercise")["Stacks"]
    values = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in stack["Parameters"]}
    assert f"{OURS}-jobs" in values["Principals"]
    assert values["ExternalId"] == EXTERNAL_ID


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("make", "--principal", "arn:aws:iam::111111111111:root", "--external-id", EXTERNAL_ID), "not the ARN of a user"),
        (("make", "--principal", OURS, "--external-id", "guessed"), "not an external id"),
        (("make", "--principal", OURS, "--external-id", EXTERNAL_ID, "--profile", "nobody"), "profile (nobody)"),
        (("show", "acme", "--principal", OURS), "there is no customer acme"),
        (("new", "Acme Inc", "--principal", OURS), "cannot be the name of a customer"),
    ],
)
def test_wrong_input_is_explained(aws: Aws, command: Command, arguments: tuple[str, ...], says: str) -> None:
    """Wrong values end with status 2 or 3, with what is wrong and what to do, and nothing is made."""
    done = command("aws", "role", *arguments)

    assert done.status in {2, 3}
    assert says in done.err
    assert "hint:" in done.err
    assert aws.client("cloudformation").list_stacks()["StackSummaries"] == []


def test_without_a_right_the_reason_is_shown(aws: Aws, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """If AWS cannot be reached, the command says so without a traceback."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    done = command("aws", "role", "make", "--principal", OURS, "--external-id", EXTERNAL_ID)

    assert done.status == 3
    assert done.err.startswith("cannot make the stack access-for-dockercise: no answer from http://127.0.0.1:9")
    assert EXTERNAL_ID not in done.err
