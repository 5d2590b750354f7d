"""What a user or a machine sets once: flags before the environment before a file before defaults.

Every value knows where it came from, so that a message about a wrong one can say what to change.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from dockercise_prefect.errors import UsageError, did_you_mean
from dockercise_prefect.settings import values
from dockercise_prefect.settings.values import LONGEST_LINK_HOURS, Given

APPLICATION = "dockercise"
CONFIG_FILE = "config.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one process.

    Attributes:
        jobs: stages that run at once, at most.
        results: where records of runs go: an absolute folder, or a URL.
        root: where the code is; None when nobody said, and the caller knows better.
        log_lines: lines of one stage that Prefect's UI gets; the results always hold all of them.
        data: the user's data folder, absolute.
        server_hosts: names besides this machine's own by which the local Prefect server is reached.
        registry_credentials: name of a Prefect block that holds credentials for a registry.
        log_group: the CloudWatch log group that stages' logs go to besides; None for none.
        aws_role: ARN of the role that is assumed for results and logs, perhaps in another account; None for the user's own.
        s3_endpoint: address of what speaks S3; None for AWS, or what AWS's own variables say.
        s3_encryption: how objects are encrypted, `AES256` or `aws:kms`; None for what the bucket does by itself.
        s3_kms_key: id or ARN of the key for `aws:kms`; None for the account's own.
        link_hours: how long a pre-signed link to a stored object works, at most; 0 for no such links.
        untrusted: what is run is not trusted: it may do little, and within limits (docs/trust.md).
        untrusted_stages: how many stages of such a pipeline run, at most.
        untrusted_cpus: processors that each of its stages gets, at most.
        untrusted_memory: bytes, the same.
        untrusted_timeout: seconds, the same.
        untrusted_pids: processes and threads, the same.
        untrusted_output: bytes that each of its stages prints, at most.
        untrusted_volume: bytes that each of its stages leaves in its volume, at most.
    """

    jobs: int
    results: str
    root: Path | None
    log_lines: int
    data: Path
    server_hosts: tuple[str, ...]
    registry_credentials: str | None
    log_group: str | None
    aws_role: str | None
    s3_endpoint: str | None
    s3_encryption: str | None
    s3_kms_key: str | None
    link_hours: int
    untrusted: bool
    untrusted_stages: int
    untrusted_cpus: float
    untrusted_memory: int
    untrusted_timeout: float
    untrusted_pids: int
    untrusted_output: int
    untrusted_volume: int
    origins: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def origin(self, name: str) -> str:
        """Where a setting's value came from: `--jobs`, `DOCKERCISE_JOBS`, `/…/config.toml:3 jobs` or `default`."""
        return self.origins.get(name, "default")


@dataclass(frozen=True, slots=True)
class Folders:
    """What relative and missing paths are made of, all absolute: the working folder, the home, the default data folder."""

    working: Path
    home: Path
    data: Path


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The user's file, read."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class _Key:
    """How a setting is read; `read` raises `ValueError` with what is allowed."""

    read: Callable[[Given], Any]
    in_file: bool = True


_KEYS = {
    "jobs": _Key(values.positive),
    "results": _Key(values.place),
    "root": _Key(values.folder, in_file=False),  # one folder for all of a user's pipelines makes no sense
    "log_lines": _Key(values.natural),
    "data": _Key(values.folder),
    "server_hosts": _Key(values.hosts),
    "registry_credentials": _Key(values.text),
    "log_group": _Key(values.log_group),
    "aws_role": _Key(values.role),
    "s3_endpoint": _Key(values.endpoint),
    "s3_encryption": _Key(values.encryption),
    "s3_kms_key": _Key(values.text),
    "link_hours": _Key(values.link_hours),
    "untrusted": _Key(values.switch),
    "untrusted_stages": _Key(values.positive),
    "untrusted_cpus": _Key(values.processors),
    "untrusted_memory": _Key(values.size),
    "untrusted_timeout": _Key(values.duration),
    "untrusted_pids": _Key(values.processes),
    "untrusted_output": _Key(values.amount),
    "untrusted_volume": _Key(values.amount),
}
_FILE_KEYS = [name for name, key in _KEYS.items() if key.in_file]


def read_settings(**flags: object) -> Settings:
    """The settings of this process.

    Args:
        flags: by the settings' names, what flags gave; None is a flag that was not given.

    Raises:
        UsageError: a value is wrong, or the file cannot be read.
    """
    folders = Folders(
        working=Path.cwd(),
        home=Path(os.path.expanduser("~")),  # noqa: PTH111  Path.home() raises where there is none
        data=platformdirs.user_data_path(APPLICATION),
    )
    return load(os.environ, read_config(platformdirs.user_config_path(APPLICATION) / CONFIG_FILE), flags, folders)


def read_config(path: Path) -> ConfigFile | None:
    """The user's file, None when there is none.

    Raises:
        UsageError: it is there and cannot be read.
    """
    try:
        return ConfigFile(path, path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"cannot read the settings in {path}: {error.strerror}", "fix or remove the file") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the settings in {path} are not UTF-8 (byte {error.start})", "save the file as UTF-8") from error


def load(
    environment: Mapping[str, str],
    config: ConfigFile | None,
    overrides: Mapping[str, object],
    folders: Folders,
) -> Settings:
    """The settings that these sources make; a variable that is empty counts as not set.

    Args:
        environment: variables; those that begin with `DOCKERCISE_` and name no setting are not ours to judge.
        config: the user's file.
        overrides: what flags gave; None is a flag that was not given.
        folders: of this machine.

    Raises:
        UsageError: lists every wrong value, with its origin and what is allowed.
    """
    problems: list[str] = []
    given: dict[str, Given] = {}
    if config:
        given.update(_from_file(config, folders, problems))
    for name in _KEYS:
        text = environment.get(_variable(name), "")
        if text.strip():
            given[name] = Given(text, _variable(name), folders.home, folders.working)
        if overrides.get(name) is not None:
            given[name] = Given(overrides[name], _flag(name), folders.home, folders.working)
    read: dict[str, Any] = {}
    for name, one in given.items():
        try:
            read[name] = _KEYS[name].read(one)
        except ValueError as error:
            problems.append(f"{one.origin}: {_shown(one.value)} {error}")
    if problems:
        raise UsageError("\n".join(problems))
    data = read.get("data", folders.data)
    defaults = {
        "jobs": 10,
        "results": str(data / "results"),
        "root": None,
        "log_lines": 2000,
        "data": data,
        "server_hosts": (),
        "registry_credentials": None,
        "log_group": None,
        "aws_role": None,
        "s3_endpoint": None,
        "s3_encryption": None,
        "s3_kms_key": None,
        "link_hours": LONGEST_LINK_HOURS,
        "untrusted": False,
        "untrusted_stages": 100,
        "untrusted_cpus": 2,
        "untrusted_memory": 2 << 30,
        "untrusted_timeout": 3600,
        "untrusted_pids": 1024,
        "untrusted_output": 100 << 20,
        "untrusted_volume": 2 << 30,
    }
    return Settings(**(defaults | read), origins={name: one.origin for name, one in given.items()})


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _variable(name: str) -> str:
    return "DOCKERCISE_" + name.upper()


def _from_file(config: ConfigFile, folders: Folders, problems: list[str]) -> Iterator[tuple[str, Given]]:
    try:
        table = tomllib.loads(config.text)
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{config.path}: not valid TOML: {error}")
        return
    for name, value in table.items():
        origin = f"{config.path}:{_line_of(name, config.text)} {name}"
        if name in _FILE_KEYS:
            yield name, Given(value, origin, folders.home, None)
        else:
            meant = did_you_mean(name, _FILE_KEYS)
            hint = f"did you mean `{meant}`?" if meant else f"the settings are {', '.join(_FILE_KEYS)}"
            problems.append(f"{origin}: unknown setting\n  hint: {hint}")


def _line_of(name: str, text: str) -> int:
    """The line on which a key of the file stands; tomllib does not say."""
    written = re.compile(rf"\s*\[*\s*[\"']?{re.escape(name)}[\"']?\s*[=.\]]")
    return next((number for number, line in enumerate(text.splitlines(), 1) if written.match(line)), 1)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    return f"`{value}`" if isinstance(value, str | int | float | Path) else "this"
