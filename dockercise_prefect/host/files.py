"""The files of the host: units of systemd, their variables, and the configuration of the engine."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from dockercise_prefect.aws.names import results_place
from dockercise_prefect.aws.parameters import HostConfig
from dockercise_prefect.errors import MachineError
from dockercise_prefect.host.machine import Layout, writing

OWN_PREFECT = "http://127.0.0.1:4200/api"

_PREFECT_UNITS = ("dockercise-prefect.socket", "dockercise-prefect.service")
_JOB_UNITS = ("dockercise-ssh.service",)
_UNITS = (
    "dockercise-install.service",
    "dockercise-worker.service",
    "dockercise-webhook.service",
    "dockercise-host.service",
    "dockercise-gc.service",
    "dockercise-gc.timer",
    "dockercise-sleep.path",
    "dockercise-sleep.service",
)
_STARTED = (
    "dockercise-sleep.path",
    "dockercise-prefect.socket",
    "dockercise-prefect.service",
    "dockercise-worker.service",
    "dockercise-webhook.service",
    "dockercise-host.service",
    "dockercise-gc.timer",
    "dockercise-ssh.service",
)
_AS_ROOT = frozenset({"dockercise-install.service", "dockercise-sleep.service", "dockercise-ssh.service"})

_PROGRAM = "/opt/dockercise/current/bin/dockercise"
_DATA_ROOT = "/var/lib/dockercise/docker"
_READABLE, _SECRET = 0o644, 0o600


@dataclass(frozen=True, slots=True)
class WantedFile:
    """A file as it should be."""

    path: Path
    text: str
    mode: int = _READABLE


def units(config: HostConfig) -> tuple[str, ...]:
    """The names of all units of the host: those of its own Prefect, and that for jobs, only if it has them."""
    return (*_UNITS, *(() if config.prefect_api_url else _PREFECT_UNITS), *(_JOB_UNITS if config.jobs else ()))


def started_units(config: HostConfig) -> tuple[str, ...]:
    """The units that are started, in this order, when the host is set up."""
    known = units(config)
    return tuple(unit for unit in _STARTED if unit in known)


def superfluous_units(config: HostConfig) -> tuple[str, ...]:
    """The units that the host must not have any more."""
    wanted = units(config)
    return tuple(unit for unit in (*_PREFECT_UNITS, *_JOB_UNITS) if unit not in wanted)


def wanted_files(config: HostConfig, prefect: Mapping[str, str], layout: Layout) -> Sequence[WantedFile]:
    """All files of the host except the configuration of the engine.

    Args:
        config: what the stack says.
        prefect: the variables with the login of the user's own Prefect.
        layout: where the files are.
    """
    return [*_unit_files(config, layout), *_variables(config, prefect, layout), *_logins(config, layout)]


def _unit_files(config: HostConfig, layout: Layout) -> Iterator[WantedFile]:
    source = files("dockercise_prefect.host") / "units"
    common = (source / "common.conf").read_text(encoding="utf-8")
    for unit in units(config):
        yield WantedFile(layout.units / unit, (source / unit).read_text(encoding="utf-8"))
        if unit.endswith(".service") and unit not in _AS_ROOT:
            yield WantedFile(layout.units / f"{unit}.d" / "common.conf", common)
    engine = (source / "docker.conf").read_text(encoding="utf-8")
    yield WantedFile(layout.units / "docker.service.d" / "dockercise.conf", engine)


def _variables(config: HostConfig, prefect: Mapping[str, str], layout: Layout) -> Iterator[WantedFile]:
    yield WantedFile(
        layout.config / "host.env",
        _environment(
            {
                "DOCKERCISE_STACK": config.stack,
                "AWS_DEFAULT_REGION": config.region,
                "PREFECT_API_URL": config.prefect_api_url or OWN_PREFECT,
                "DOCKERCISE_RESULTS": results_place(config.bucket),
                "DOCKERCISE_LOG_GROUP": config.log_group,
                "DOCKERCISE_GUARD_HOST": "true",
            }
        ),
    )
    yield WantedFile(layout.config / "prefect.env", _environment(prefect if config.prefect_api_url else {}), _SECRET)


def _logins(config: HostConfig, layout: Layout) -> Iterator[WantedFile]:
    if config.jobs:
        text = (files("dockercise_prefect.host") / "sshd.conf").read_text(encoding="utf-8")
        values = {"dockercise": _PROGRAM, "stack": config.stack, "region": config.region}
        yield WantedFile(layout.logins, text.format(**values))


def _environment(variables: Mapping[str, str]) -> str:
    """The text of a file with variables, as systemd reads it (systemd.exec(5), EnvironmentFile=).

    Raises:
        MachineError: a value has more than one line. The message does not contain it.
    """
    for name, text in variables.items():
        if "\n" in text or "\r" in text:
            raise MachineError(f"the variable {name} cannot have more than one line", "correct the stack's parameter `prefect`")
    quoted = ((name, text.replace("\\", "\\\\").replace('"', '\\"')) for name, text in variables.items())
    lines = [f'{name}="{text}"' for name, text in quoted]
    return "\n".join(["# `dockercise host install` writes this file. Put your own variables into local.env.", *lines, ""])


def engine_file(layout: Layout) -> WantedFile:
    """The configuration of the engine with its data on the kept volume; what else is configured stays.

    Raises:
        MachineError: the present configuration cannot be read.
    """
    present: object = {}
    if layout.daemon.exists():
        try:
            present = json.loads(layout.daemon.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            present = None
    if not isinstance(present, dict):
        raise MachineError(f"{layout.daemon} cannot be read as a JSON object", "correct it, or remove it")
    if present.get("data-root") == _DATA_ROOT:
        return WantedFile(layout.daemon, layout.daemon.read_text(encoding="utf-8"))
    return WantedFile(layout.daemon, json.dumps(present | {"data-root": _DATA_ROOT}, indent=2) + "\n")


def write_changed(wanted: Sequence[WantedFile]) -> frozenset[Path]:
    """Write the files that differ, and return their paths.

    Raises:
        MachineError: a file cannot be written.
    """
    return frozenset(one.path for one in wanted if _written(one))


def _written(wanted: WantedFile) -> bool:
    with writing(wanted.path):
        try:
            same = wanted.path.read_text(encoding="utf-8") == wanted.text
            if same and wanted.path.stat().st_mode & 0o777 == wanted.mode:
                return False
        except (FileNotFoundError, UnicodeDecodeError):
            pass
        wanted.path.parent.mkdir(parents=True, exist_ok=True)
        new = wanted.path.with_name(f".{wanted.path.name}.new")
        number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, wanted.mode)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            os.fchmod(number, wanted.mode)
            file.write(wanted.text)
            file.flush()
            os.fsync(number)
        new.replace(wanted.path)
        return True
