"""The settings of a user or a machine. Flags come before the environment, then the file, then the defaults.

Every value remembers its origin, so that a message about a wrong value can say what to change.
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
from dockercise_prefect.settings.values import LONGEST_LINK_HOURS, USUAL_PIDS, Given

APPLICATION = "dockercise"
CONFIG_FILE = "config.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one process.

    Attributes:
        jobs: the maximum number of stages that run at the same time.
        results: where records of runs go: an absolute folder, or a URL.
        root: where the code is; None if it is not set, and the caller decides.
        log_lines: how many lines of one stage are sent to Prefect's UI; the results always contain all lines.
        data: the user's data folder, absolute.
        server_hosts: further names, besides this machine's own, under which the local Prefect server is reached.
        registry_credentials: the name of the Prefect block with the credentials for a registry.
        github_client_id: the id of the app on GitHub that users log in with; None to use a token that is there already.
        log_group: the CloudWatch log group that also gets the logs of stages; None to send them nowhere else.
        aws_role: the ARN of the role that is assumed for results and logs, perhaps in another account; None to use the
            user's own credentials.
        aws_external_id: the external id that the trust of `aws_role` asks for; None for none.
        s3_endpoint: the address of a service that is compatible with S3; None for AWS, or for what AWS's own variables say.
        s3_encryption: how objects are encrypted, `AES256` or `aws:kms`; None for the default of the bucket.
        s3_kms_key: the id or ARN of the key for `aws:kms`; None for the key of the account.
        pids: the maximum number of processes and threads of each stage.
        link_hours: the maximum number of hours that a pre-signed link to a stored object works; 0 for no such links.
        crashed_after: after how many seconds without a sign of life a run of another machine counts as crashed.
        keep_days: after how many days a record is removed by `gc`; None to keep it. The same for the next three.
        keep_runs: how many records of a pipeline are kept.
        keep_size: how many bytes the records of a pipeline may have together.
        keep_cache_days: after how many days clones of repositories and the output of packages are removed, if nobody uses them.
        keep_build_cache: how many bytes the engine's build cache may have after `gc`; None for no limit of ours.
        cache_size: how many bytes what stages with `cache` have left may have together in a place of results.
        cache_days: after how many days such a stage cannot be spared any more because of what a run has left.
        cache_audit: one in so many stages that would be reused is run all the same, and compared; 0 for none.
        gc_after_runs: whether `gc` is started after each run.
        guard_host: no stage may use the files or the network of the engine's machine, whether it is trusted or not.
        untrusted: the pipeline is not trusted: its rights and resources are limited (docs/trust.md).
        untrusted_stages: the maximum number of stages of an untrusted pipeline that run.
        untrusted_cpus: the maximum number of processors for each of its stages.
        untrusted_memory: the maximum memory for each of its stages, in bytes.
        untrusted_timeout: the maximum duration of each of its stages, in seconds.
        untrusted_pids: the maximum number of processes and threads of each of its stages.
        untrusted_output: the maximum number of bytes that each of its stages prints.
        untrusted_volume: the maximum number of bytes that each of its stages leaves in its volume.
    """

    jobs: int
    results: str
    root: Path | None
    log_lines: int
    data: Path
    server_hosts: tuple[str, ...]
    registry_credentials: str | None
    github_client_id: str | None
    log_group: str | None
    aws_role: str | None
    aws_external_id: str | None = field(repr=False)
    s3_endpoint: str | None
    s3_encryption: str | None
    s3_kms_key: str | None
    pids: int
    link_hours: int
    crashed_after: float
    keep_days: int | None
    keep_runs: int | None
    keep_size: int | None
    keep_cache_days: int | None
    keep_build_cache: int | None
    cache_size: int
    cache_days: int
    cache_audit: int
    gc_after_runs: bool
    guard_host: bool
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
    """The base folders for relative and missing paths: the working folder, the home, the default data folder. All absolute."""

    working: Path
    home: Path
    data: Path


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The content of the user's configuration file."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class _Key:
    """How a setting is read. `read` raises `ValueError` with what is allowed."""

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
    "github_client_id": _Key(values.client_id),
    "log_group": _Key(values.log_group),
    "aws_role": _Key(values.role),
    "aws_external_id": _Key(values.external_id),
    "s3_endpoint": _Key(values.endpoint),
    "s3_encryption": _Key(values.encryption),
    "s3_kms_key": _Key(values.text),
    "pids": _Key(values.processes),
    "link_hours": _Key(values.link_hours),
    "crashed_after": _Key(values.silence),
    "keep_days": _Key(values.positive),
    "keep_runs": _Key(values.positive),
    "keep_size": _Key(values.amount),
    "keep_cache_days": _Key(values.positive),
    "keep_build_cache": _Key(values.amount),
    "cache_size": _Key(values.amount),
    "cache_days": _Key(values.positive),
    "cache_audit": _Key(values.natural),
    "gc_after_runs": _Key(values.switch),
    "guard_host": _Key(values.switch),
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
        flags: the values of flags, by the name of the setting; None for a flag that was not given.

    Raises:
        UsageError: a value is wrong, or the file cannot be read.
    """
    return load(os.environ, read_config(platformdirs.user_config_path(APPLICATION) / CONFIG_FILE), flags, _folders())


def default_settings() -> Settings:
    """The settings of this machine if nothing is set."""
    return load({}, None, {}, _folders())


def _folders() -> Folders:
    return Folders(
        working=Path.cwd(),
        home=Path(os.path.expanduser("~")),  # noqa: PTH111  Path.home() raises an error if there is no home
        data=platformdirs.user_data_path(APPLICATION),
    )


def read_config(path: Path) -> ConfigFile | None:
    """Return the content of the user's file; None if the file does not exist.

    Raises:
        UsageError: the file exists but cannot be read.
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
    """Return the settings from these sources. An empty variable counts as not set.

    Args:
        environment: the variables; those that begin with `DOCKERCISE_` but do not name a setting are ignored.
        config: the user's file.
        overrides: the values of flags; None for a flag that was not given.
        folders: the folders of this machine.

    Raises:
        UsageError: a value is wrong. The message lists every wrong value, with its origin and what is allowed.
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
        "github_client_id": None,
        "log_group": None,
        "aws_role": None,
        "aws_external_id": None,
        "s3_endpoint": None,
        "s3_encryption": None,
        "s3_kms_key": None,
        "pids": USUAL_PIDS,
        "link_hours": LONGEST_LINK_HOURS,
        "crashed_after": 600.0,
        "keep_days": None,
        "keep_runs": None,
        "keep_size": None,
        "keep_cache_days": None,
        "keep_build_cache": None,
        "cache_size": 10 << 30,
        "cache_days": 30,
        "cache_audit": 0,
        "gc_after_runs": False,
        "guard_host": False,
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
    """Return the line number of a key in the file; tomllib does not provide it."""
    written = re.compile(rf"\s*\[*\s*[\"']?{re.escape(name)}[\"']?\s*[=.\]]")
    return next((number for number, line in enumerate(text.splitlines(), 1) if written.match(line)), 1)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    return f"`{value}`" if isinstance(value, str | int | float | Path) else "this"
