"""`aws jobs`: pushes of a customer start jobs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]  # has no types
import pytest

from dockercise_prefect.aws.jobs.customer_access import needed_access
from dockercise_prefect.aws.names import StackNames
from dockercise_prefect.aws.parameters import StackParameters
from dockercise_prefect.aws.role.customers import Customers
from tests.support.aws.cfn import read_template
from tests.support.aws.moto import FOLDER_KEY_ID, REGION, Aws, running_aws
from tests.support.aws.recorder import Recorder, recording
from tests.support.command import Command

pytestmark = pytest.mark.docker  # for the server

ROLE = "arn:aws:iam::222222222222:role/access-for-dockercise"
JOBS = StackNames("dockercise-jobs")


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Aws, Recorder]]:
    """An AWS on loopback that records calls, and a user with credentials for it, who has the customer acme."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKERCISE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    Customers(tmp_path / "data").add("acme")
    with running_aws() as running, recording(running.url) as recorder:
        running.write_folder(tmp_path / ".aws")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / ".aws/config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / ".aws/credentials"))
        monkeypatch.setenv("AWS_ENDPOINT_URL", recorder.url)
        yield running, recorder


def customers_stack(aws: Aws) -> StackParameters:
    """The parameters of the customer's stack, in the customer's account."""
    given: Mapping[str, Any] = aws.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="test")["Credentials"]
    client = boto3.client(
        "ssm",
        endpoint_url=aws.url,
        region_name=REGION,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    return StackParameters(client, StackNames())


def test_a_customer_is_admitted(aws: tuple[Aws, Recorder], command: Command, tmp_path: Path) -> None:
    """The external id and the secrets are stored, encrypted, and a repository that is gone starts no job any more."""
    running, recorder = aws
    theirs = customers_stack(running)
    theirs.save_secret("acme-infra-1a2b3c4d", "first secret")
    theirs.save_secret("acme-shop-5e6f7a8b", "second secret")
    command("aws", "jobs", "admit", "acme", "--role", ROLE)
    theirs.remove_secret("acme-shop-5e6f7a8b")

    done = command("aws", "jobs", "admit", "acme", "--role", ROLE)

    external_id = Customers(tmp_path / "data").find("acme").external_id
    ours = StackParameters(running.client("ssm"), JOBS)
    assert (done.status, done.out, done.err) == (0, "pushes to acme-infra-1a2b3c4d start jobs\n", "")
    assert ours.secrets() == {"acme.acme-infra-1a2b3c4d": "first secret"}
    access = needed_access(running.client("ssm"), JOBS, "acme")
    assert (access.role, access.external_id, access.region, access.stack) == (ROLE, external_id, REGION, "dockercise")
    asked = [call.given for call in recorder.called("AssumeRole")]
    assert {given["ExternalId"] for given in asked} == {external_id}


def test_a_stack_without_a_repository_is_not_admitted(aws: tuple[Aws, Recorder], command: Command) -> None:
    """Nothing is stored if the customer has connected nothing, or is not known."""
    running, recorder = aws
    customers_stack(running)

    nothing = command("aws", "jobs", "admit", "acme", "--role", ROLE)
    unknown = command("aws", "jobs", "admit", "umbrella", "--role", ROLE)

    assert (nothing.status, unknown.status) == (2, 2)
    assert "the stack dockercise of acme in eu-west-1 has no repository" in nothing.err
    assert "there is no customer umbrella" in unknown.err
    assert [call for call in recorder.called("PutParameter") if call.key == FOLDER_KEY_ID] == []


def test_the_template_is_printed(command: Command) -> None:
    """`print` needs neither credentials nor a region."""
    done = command("aws", "jobs", "print")

    assert done.status == 0
    assert read_template(done.out)["Resources"]["Door"]["Properties"]["Handler"] == "index.start_job"
