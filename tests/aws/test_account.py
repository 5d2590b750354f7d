"""Accounts: which region and credentials a command works with, against AWS's protocol on loopback."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dockercise_prefect.aws.account import Access, Account, calling
from dockercise_prefect.errors import DockerciseError, UsageError
from dockercise_prefect.results.places.objects import RefusedError
from tests.support.aws.moto import REGION, Aws, running_aws

pytestmark = pytest.mark.docker  # for the server

ROLE = "arn:aws:iam::210987654321:role/dockercise-operator"


@pytest.fixture
def folder(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's AWS folder, which is the only source of credentials."""
    folder = aws.write_folder(tmp_path / "aws")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    return folder


def test_the_users_own_configuration_is_used(folder: Path) -> None:
    """Without options, region, credentials and endpoint are those that `aws configure` has written."""
    account = Account(Access())

    assert account.region == REGION
    assert account.identity().account == "123456789012"


def test_a_profile_is_used_with_a_role(folder: Path) -> None:
    """A role is assumed with the credentials of the profile, in another account, with the external id."""
    from moto.sts.models import sts_backends

    config, credentials = folder / "config", folder / "credentials"
    config.write_text(config.read_text().replace("[default]", "[profile other]"))
    credentials.write_text(credentials.read_text().replace("[default]", "[other]"))

    found = Account(Access(profile="other", role=ROLE, external_id="an-id-of-ours")).identity()

    assert (found.account, "dockercise-operator" in found.arn) == ("210987654321", True)
    assert [role.external_id for role in sts_backends["210987654321"]["aws"].assumed_roles] == ["an-id-of-ours"]


def test_credentials_for_another_program(folder: Path) -> None:
    """Another program gets the credentials of the role, not those of the user."""
    variables = Account(Access(role=ROLE)).credentials()

    assert set(variables) == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    assert "FOLDERKEY" not in variables["AWS_ACCESS_KEY_ID"]


@pytest.mark.parametrize(
    ("access", "said"),
    [
        (Access(profile="nobody"), "The config profile (nobody) could not be found"),
        (Access(region="Ireland"), "`Ireland` is not a region of AWS"),
        (Access(role="operator"), "`operator` is not the ARN of a role"),
        (Access(external_id="x"), "--external-id cannot be used without --role"),
    ],
)
def test_wrong_options(folder: Path, access: Access, said: str) -> None:
    """A wrong option is reported before AWS is asked."""
    with pytest.raises(DockerciseError, match=re.escape(said)) as caught:
        Account(access)

    assert caught.value.hint


def test_no_region(folder: Path) -> None:
    """Without a region, the message says how to set one."""
    (folder / "config").write_text("[default]\n")

    with pytest.raises(UsageError, match="no region of AWS is set") as caught:
        Account(Access())

    assert "--region" in str(caught.value.hint)


def test_no_credentials(folder: Path) -> None:
    """Without credentials, the message says how to get some."""
    (folder / "credentials").write_text("")

    with pytest.raises(RefusedError, match="there are no AWS credentials"):
        Account(Access()).identity()


def test_a_missing_right_is_named(folder: Path) -> None:
    """If AWS refuses a call, the hint names the right that is missing."""
    client = Account(Access()).client("ssm")

    with pytest.raises(RefusedError) as caught, calling("cannot write the parameter", "ssm:PutParameter"):
        client.put_parameter(Name="/aws/reserved", Value="x", Type="String")  # AWS refuses names that begin like this

    assert caught.value.hint == "give the credentials the right ssm:PutParameter"


def test_the_external_id_is_not_shown() -> None:
    """The external id is in no text of the options."""
    assert "an-id-of-ours" not in repr(Access(role=ROLE, external_id="an-id-of-ours"))


def test_an_aws_that_does_not_answer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If nothing answers at the endpoint, the message names its address."""
    with running_aws() as gone:
        address = gone.url
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)

    with pytest.raises(DockerciseError, match=f"no answer from {address}"):
        Account(Access()).identity()
