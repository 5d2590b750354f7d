"""The host's access to AWS, with the credentials of its own role."""

from __future__ import annotations

from typing import Any

import boto3  # type: ignore[import-untyped]  # has no types
from botocore.config import Config  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.results.places.aws import aws_errors

_READ_SECONDS = 40
"""A request for messages waits for up to 20 seconds (SQS's documentation of long polling)."""


def host_client(service: str, region: str) -> Any:
    """A client of boto3 for a service. Any number of threads may use it.

    Args:
        service: `ssm`, `sqs`, `s3`, `ec2`, `logs` or `cloudwatch`.
        region: the region of the stack.

    Raises:
        StorageError: there are no credentials, or the region does not exist.
    """
    config = Config(connect_timeout=5, read_timeout=_READ_SECONDS, retries={"mode": "standard", "total_max_attempts": 4})
    with aws_errors(f"cannot use {service} of AWS"):
        return boto3.Session(region_name=region).client(service, config=config)
