"""Results in the account of a role whose trust asks for an external id."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.results.places.bucket import Bucket
from dockercise_prefect.results.places.s3 import S3Objects
from dockercise_prefect.settings import read_settings
from tests.support.aws.moto import running_aws
from tests.support.aws.recorder import recording

pytestmark = pytest.mark.docker  # for the server

ARN = "arn:aws:iam::210987654321:role/results"


def test_a_role_is_assumed_with_its_external_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request for the role names the external id."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with running_aws() as aws, recording(aws.url) as recorder:
        aws.bucket("results-of-mine")
        replace(aws, url=recorder.url).write_folder(tmp_path / ".aws")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / ".aws/config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / ".aws/credentials"))
        settings = replace(read_settings(), aws_role=ARN, aws_external_id="acme-1c2f")

        S3Objects(Bucket("results-of-mine", ""), settings).put("a.log", io.BytesIO(b"x"))

        asked = [call.given for call in recorder.called("AssumeRole")]
        written = [call.key for call in recorder.calls if call.service == "s3"]
    assert [(given["RoleArn"], given["ExternalId"]) for given in asked] == [(ARN, "acme-1c2f")]
    assert written
    assert "AKIAFOLDERKEY0000001" not in written


def test_the_external_id_is_not_printed() -> None:
    """The settings do not show the external id."""
    settings = replace(read_settings(), aws_external_id="acme-1c2f")

    assert "acme-1c2f" not in repr(settings)
