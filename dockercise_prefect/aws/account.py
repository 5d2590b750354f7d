"""The account and region of AWS that a command works in, with the user's credentials."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import boto3  # type: ignore[import-untyped]  # has no types
from botocore.config import Config  # type: ignore[import-untyped]  # has no types
from botocore.session import Session  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.errors import UsageError
from dockercise_prefect.results.places.aws import aws_errors, with_role

_PATIENCE = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 6})
"""Seconds, and the number of tries. Somebody waits at the terminal, but throttling must not end a command."""

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}", re.ASCII)
_ROLE = re.compile(r"arn:[\w-]+:iam::\d{12}:role/\S+", re.ASCII)

Clients = Callable[[str], Any]
"""Makes a boto3 client of a service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where a command works, and with which credentials.

    Attributes:
        region: the region; None for the one of the profile or the environment.
        profile: the profile; None for boto3's own choice: environment, default profile, SSO, the role of the machine.
        role: the ARN of a role to assume first, for example in another account.
        external_id: the external id that this role asks for.
    """

    region: str | None = None
    profile: str | None = None
    role: str | None = None
    external_id: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose credentials these are: the number of the account, and the ARN of the user or role."""

    account: str
    arn: str


class Account:
    """One account in one region. Methods raise `StorageError` if AWS does not answer, and `RefusedError` if it refuses.

    Args:
        access: where, and as who.

    Raises:
        UsageError: no region is known, or a value is wrong.
        RefusedError: the profile does not exist.
    """

    def __init__(self, access: Access) -> None:
        if access.role is not None and not _ROLE.fullmatch(access.role):
            raise UsageError(f"`{access.role}` is not the ARN of a role", "write it as arn:aws:iam::123456789012:role/name")
        if access.external_id is not None and access.role is None:
            raise UsageError("--external-id cannot be used without --role", "add --role")
        self.access = access
        with aws_errors("cannot use AWS"):
            user = Session(profile=access.profile)
            self.region = _checked_region(access.region or user.get_config_variable("region"))
            session = user if access.role is None else with_role(user, access.role, access.external_id)
            self._session = boto3.Session(botocore_session=session, region_name=self.region)
        self._clients: dict[str, Any] = {}

    @property
    def session(self) -> Any:
        """boto3's session, for clients that are made elsewhere."""
        return self._session

    def client(self, service: str) -> Any:
        """A client for a service, always the same one: making one takes a tenth of a second, for EC2 half a second."""
        if service not in self._clients:
            with aws_errors(f"cannot use {service} of AWS"):
                self._clients[service] = self._session.client(service, config=_PATIENCE)
        return self._clients[service]

    def identity(self) -> Identity:
        """Whose credentials these are."""
        with aws_errors("cannot find out who you are in AWS"):
            found = self.client("sts").get_caller_identity()
        return Identity(str(found["Account"]), str(found["Arn"]))

    def credentials(self) -> dict[str, str]:
        """The credentials as they are now, as variables for another program. They are secret."""
        with aws_errors("cannot use AWS"):
            found = self._session.get_credentials()
            now = found.get_frozen_credentials() if found is not None else None
        if now is None:
            return {}
        variables = {"AWS_ACCESS_KEY_ID": now.access_key, "AWS_SECRET_ACCESS_KEY": now.secret_key}
        return variables | ({"AWS_SESSION_TOKEN": now.token} if now.token else {})


def calling(what: str, *actions: str) -> AbstractContextManager[None]:
    """As `aws_errors`, with a hint that names the rights that the calls inside need.

    Args:
        what: what fails if a call fails, as the beginning of a message: `cannot start the host`.
        actions: the actions of IAM, such as `ec2:StartInstances`.
    """
    return aws_errors(what, f"give the credentials the right {' and '.join(actions)}" if actions else "ask for the right")


def _checked_region(region: str | None) -> str:
    if not region:
        raise UsageError("no region of AWS is set", "add --region, such as --region eu-west-1, or set AWS_DEFAULT_REGION")
    if not _REGION.fullmatch(region):
        raise UsageError(f"`{region}` is not a region of AWS", "write it as eu-west-1")
    return region
