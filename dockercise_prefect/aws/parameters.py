"""The parameters of a stack in SSM: the command line, the door and the host leave each other notes there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # has no types
from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from dockercise_prefect.aws.account import calling
from dockercise_prefect.aws.names import StackNames
from dockercise_prefect.aws.report import Report
from dockercise_prefect.aws.repository import StackRepository
from dockercise_prefect.errors import UsageError

NEVER = "never"

LARGEST = 4096
"""Characters of a standard parameter (AWS's documentation of Parameter Store)."""


@with_config(ConfigDict(extra="ignore"))
@dataclass(frozen=True, slots=True, kw_only=True)
class HostConfig:
    """What the host must know. The stack writes it.

    Attributes:
        queue: the URL of the queue with the pushes.
        lost: the URL of the queue for pushes that could not be carried out.
        volume: the id of the volume that the stack keeps.
        log_group: the log group of stages.
        host_log_group: the log group of the host itself.
        idle_minutes: for how many minutes the host stays awake without work.
        prefect_api_url: the API of the user's own Prefect; empty if Prefect runs on the host.
        package: what pip installs: a requirement, or `s3:` and a folder of the bucket with a wheel and its lock.
        jobs: whether jobs of another account may use the host's engine.
    """

    stack: str
    region: str
    queue: str
    lost: str
    bucket: str
    volume: str
    log_group: str
    host_log_group: str
    idle_minutes: int
    prefect_api_url: str
    package: str
    jobs: bool = False

    def to_text(self) -> str:
        """The configuration as JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> HostConfig:
        """Parse the result of `to_text`.

        Raises:
            UsageError: the text cannot be read.
        """
        try:
            return _CONFIGS.validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise UsageError(
                f"the parameter `host` of the stack cannot be read: {where or 'the text'}: {first['msg']}",
                "run `dockercise aws up` again, so that the stack and the host have the same version",
            ) from error


_CONFIGS = TypeAdapter(HostConfig)
_TEXTS = TypeAdapter(dict[str, str])


@dataclass(frozen=True, slots=True)
class RepositoryParameter:
    """One of the parameters `repositories/NAME`.

    Attributes:
        version: SSM counts it up with each change.
        repository: what it contains, or what is wrong with it.
    """

    name: str
    version: int
    repository: StackRepository | UsageError


class StackParameters:
    """Reads and writes the parameters of one stack. Any number of threads may use it.

    Every method raises `StorageError` if SSM does not answer, and `RefusedError` if it refuses.

    Args:
        client: boto3's client for SSM.
        names: the names of the stack.
    """

    def __init__(self, client: Any, names: StackNames) -> None:
        self._client = client
        self._names = names

    def host(self) -> HostConfig | None:
        """What the host must know; None if the stack does not exist.

        Raises:
            UsageError: the parameter cannot be read.
        """
        text = self._get("host")
        return None if text is None else HostConfig.from_text(text)

    def wake_at(self) -> int | None:
        """When the host must be awake for a schedule, in seconds since 1970; None for never."""
        text = self._get("wake-at")
        return int(text) if text is not None and text.isdecimal() else None

    def save_wake_at(self, moment: int | None) -> None:
        """Store when the host must be awake, in seconds since 1970; None for never."""
        self._put("wake-at", NEVER if moment is None else str(moment))

    def awake_until(self) -> int:
        """Until when somebody wants the host to be awake, in seconds since 1970; 0 if nobody does."""
        text = self._get("awake-until")
        return int(text) if text is not None and text.isdecimal() else 0

    def save_awake_until(self, moment: int) -> None:
        """Store until when the host must be awake, in seconds since 1970; 0 to let it sleep."""
        self._put("awake-until", str(moment))

    def report(self) -> Report | None:
        """The host's last report; None if it has not written one that this version can read."""
        return Report.from_text(self._get("report") or "{}")

    def save_report(self, report: Report) -> None:
        """Store the host's report."""
        self._put("report", report.to_text())

    def repositories(self) -> Sequence[RepositoryParameter]:
        """The repositories of the stack, by name."""
        found = self._below("repositories")
        read = (RepositoryParameter(name, version, _repository(name, text)) for name, version, text in found)
        return sorted(read, key=lambda one: one.name)

    def save_repository(self, name: str, repository: StackRepository) -> None:
        """Store a repository, encrypted.

        Args:
            name: see `repository_name`.
            repository: the repository, with its secrets.

        Raises:
            UsageError: its options are too long for a parameter.
        """
        text = repository.to_text()
        if len(text) > LARGEST:
            raise UsageError(
                f"the options of {repository.address} are too long: with its keys, they have {len(text):,} characters, and "
                f"a parameter of SSM holds {LARGEST:,}",
                "put long variables into the pipeline or into the repository, instead of --env",
            )
        self._put(f"repositories/{name}", text, "SecureString")

    def remove_repository(self, name: str) -> bool:
        """Remove a repository. Returns whether it existed."""
        return self._remove(f"repositories/{name}")

    def secrets(self) -> Mapping[str, str]:
        """The secrets of webhooks, by the names of their repositories."""
        return {name: text for name, _, text in self._below("secrets")}

    def save_secret(self, name: str, secret: str) -> None:
        """Store the secret of a repository's webhook, encrypted."""
        self._put(f"secrets/{name}", secret, "SecureString")

    def remove_secret(self, name: str) -> bool:
        """Remove the secret of a repository's webhook. Returns whether it existed."""
        return self._remove(f"secrets/{name}")

    def prefect(self) -> Mapping[str, str]:
        """The variables with the login of the user's own Prefect; empty if there are none.

        Raises:
            UsageError: the parameter cannot be read.
        """
        text = self._get("prefect")
        try:
            return {} if text is None else _TEXTS.validate_json(text)
        except ValidationError:  # the exception contains the secrets
            hint = 'write it as {"PREFECT_API_KEY": "…"}, or run `dockercise aws up` again'
            raise UsageError(f"the parameter {self._names.parameter('prefect')} cannot be read", hint) from None

    def save_prefect(self, variables: Mapping[str, str]) -> None:
        """Store the variables with the login of the user's own Prefect, encrypted."""
        self._put("prefect", json.dumps(dict(variables)), "SecureString")

    def remove_prefect(self) -> bool:
        """Remove these variables. Returns whether they existed."""
        return self._remove("prefect")

    def _get(self, name: str) -> str | None:
        full = self._names.parameter(name)
        with calling(f"cannot read the parameter {full}", "ssm:GetParameter"):
            try:
                return str(self._client.get_parameter(Name=full, WithDecryption=True)["Parameter"]["Value"])
            except ClientError as error:
                if not _is_missing(error):
                    raise
        return None

    def _below(self, folder: str) -> Iterator[tuple[str, int, str]]:
        """The name, the version and the value of each parameter in a folder."""
        path = self._names.parameter(folder)
        with calling(f"cannot read the parameters below {path}", "ssm:GetParametersByPath"):
            pages = self._client.get_paginator("get_parameters_by_path").paginate(Path=path, WithDecryption=True)
            found = [parameter for page in pages for parameter in page["Parameters"]]
        for one in found:
            yield str(one["Name"]).removeprefix(f"{path}/"), int(one["Version"]), str(one["Value"])

    def _put(self, name: str, value: str, kind: str = "String") -> None:
        full = self._names.parameter(name)
        with calling(f"cannot write the parameter {full}", "ssm:PutParameter"):
            self._client.put_parameter(Name=full, Value=value, Type=kind, Overwrite=True)

    def _remove(self, name: str) -> bool:
        full = self._names.parameter(name)
        with calling(f"cannot remove the parameter {full}", "ssm:DeleteParameters"):
            return bool(self._client.delete_parameters(Names=[full])["DeletedParameters"])


def _is_missing(error: ClientError) -> bool:
    return str(error.response.get("Error", {}).get("Code")) == "ParameterNotFound"


def _repository(name: str, text: str) -> StackRepository | UsageError:
    try:
        return StackRepository.from_text(text)
    except UsageError as error:
        return UsageError(f"the parameter repositories/{name} {error.message}", error.hint)
