"""Turns our specs into the JSON of the Docker engine's API. All functions are pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from dockercise_prefect.runtime.docker.marks import marked, step_host
from dockercise_prefect.runtime.engine import ContainerMount, ContainerSpec
from dockercise_prefect.runtime.image_build import BuildSpec

_NANO = 1_000_000_000

_PERIOD = 100_000
"""The scheduler's period in microseconds. In each period, a limited step gets its part of the processors."""


def container_config(spec: ContainerSpec, *, init: bool, processors: int | None = None) -> dict[str, Any]:
    """The body of the engine's "create a container".

    The command is set as the entrypoint. That also drops the image's own command, so an image whose entrypoint is `git` works.
    Logs are off: output comes only through the attached stream, and nothing is stored. That is the fastest way. The image's
    health check, stop signal and restart policy are not used for a stage.

    Args:
        init: whether the engine can put an init process in front.
        processors: how many the engine has. It refuses a higher limit, so a higher limit is replaced by this number.
    """
    config: dict[str, Any] = {
        "Image": spec.image,
        "Entrypoint": list(spec.command),
        "Cmd": [],
        "Env": [f"{name}={value}" for name, value in spec.env.items()],
        "Labels": marked(spec.labels, spec.name),
        "WorkingDir": spec.working_dir,
        "Tty": spec.terminal,
        "OpenStdin": spec.stdin,
        "StdinOnce": spec.stdin,
        "AttachStdin": spec.stdin,
        "AttachStdout": True,
        "AttachStderr": True,
        "StopSignal": "SIGTERM",
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": _host_config(spec, init=init, processors=processors),
    }
    if spec.user is not None:
        config["User"] = spec.user
    if spec.aliases:
        config["NetworkingConfig"] = {"EndpointsConfig": {spec.network: {"Aliases": list(spec.aliases)}}}
    return config


def twin_config(inspected: Mapping[str, Any], name: str, command: Sequence[str], labels: Mapping[str, str]) -> dict[str, Any]:
    """The body of the engine's "create a container" for `Engine.create_twin`.

    Args:
        inspected: the other container, as the engine reports it.
        name: of the new container.
        command: its command.
        labels: its labels.
    """
    own, host = inspected["Config"], inspected["HostConfig"]
    mounts = [
        {
            "Type": mount["Type"],
            "Source": mount["Name"] if mount["Type"] == "volume" else mount["Source"],
            "Target": mount["Destination"],
            "ReadOnly": not mount["RW"],
        }
        for mount in inspected["Mounts"]
        if mount["Type"] in {"bind", "volume"}
    ]
    kept = ("NetworkMode", "GroupAdd", "ExtraHosts", "Dns", "DnsSearch", "DnsOptions", "SecurityOpt", "CapAdd", "CapDrop")
    return {
        "Image": inspected["Image"],
        "Entrypoint": own.get("Entrypoint") or [],
        "Cmd": list(command),
        "Labels": marked(labels, name),
        "User": own.get("User") or "",
        "WorkingDir": own.get("WorkingDir") or "/",
        "OpenStdin": True,
        "StdinOnce": True,
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "Mounts": mounts,
            "LogConfig": {"Type": "none"},
            "AutoRemove": True,
            **{key: host[key] for key in kept if host.get(key)},
        },
    }


def build_parameters(spec: BuildSpec, dockerfile: str, mark: str) -> dict[str, str]:
    """The query of the engine's "build an image".

    The cache is off: it would give images of other builds, without the labels of this one. The run's labels are part of the
    Dockerfile, so the cache would not match anyway. The containers of steps are removed, also those of failed steps.

    Args:
        dockerfile: its path in the context.
        mark: of the build.
    """
    parameters = {
        "dockerfile": dockerfile,
        "nocache": "1",
        "rm": "1",
        "forcerm": "1",
        "networkmode": spec.network,
        "extrahosts": step_host(mark),
        "buildargs": json.dumps(dict(spec.args)),
    }
    if spec.pull:
        parameters["pull"] = "1"
    if spec.target is not None:
        parameters["target"] = spec.target
    if spec.platform is not None:
        parameters["platform"] = spec.platform
    if spec.cpus is not None:
        parameters |= {"cpuperiod": str(_PERIOD), "cpuquota": str(round(spec.cpus * _PERIOD))}
    if spec.memory is not None:
        parameters |= {"memory": str(spec.memory), "memswap": str(spec.memory)}
    return parameters


def committed_config(
    image: Mapping[str, Any] | None, container: Mapping[str, Any], labels: Mapping[str, str]
) -> dict[str, Any]:
    """The configuration of an image that is made from a container: that of the container's own image.

    If a setting seems to be missing here, the engine takes it from the container. So no setting may look missing: an empty user
    is written as root's number, and an empty working directory as `/`. A variable of the container that the image does not have
    is written as its name alone, which unsets it.

    Args:
        image: the configuration of the container's image, as the engine reports it.
        container: the configuration of the container.
        labels: added to the image's own.
    """
    own = dict(image or {})
    env = list(own.get("Env") or ())
    known = {_name(variable) for variable in env}
    added = dict.fromkeys(_name(variable) for variable in container.get("Env") or () if _name(variable) not in known)
    return {
        **own,
        "Env": [*env, *added],
        "User": own.get("User") or ("0" if container.get("User") else ""),
        "WorkingDir": own.get("WorkingDir") or "/",
        "Entrypoint": own.get("Entrypoint") or [],
        "Labels": {**(own.get("Labels") or {}), **labels},
    }


def _name(variable: str) -> str:
    return variable.partition("=")[0]


def platform_matches(platform: str, image: dict[str, Any]) -> bool:
    """Whether an inspected image is for a platform, written as `OS`, `OS/ARCHITECTURE` or `OS/ARCHITECTURE/VARIANT`."""
    os, architecture, variant = [*platform.lower().split("/"), "", ""][:3]
    architecture, variant = _ARCHITECTURES.get(architecture, (architecture, variant))
    has_os, has_architecture = image.get("Os", "").lower(), image.get("Architecture", "").lower()
    has_variant = image.get("Variant", "").lower() or _VARIANTS.get(has_architecture, "")
    wanted_variant = variant or _VARIANTS.get(architecture, "")
    return has_os == os and (not architecture or (has_architecture, has_variant) == (architecture, wanted_variant))


_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", "v8"),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "i386": ("386", ""),
}
_VARIANTS = {"arm64": "v8", "arm": "v7"}  # the variants that the OCI's tools assume if none is given


def _host_config(spec: ContainerSpec, *, init: bool, processors: int | None) -> dict[str, Any]:
    config: dict[str, Any] = {
        "NetworkMode": spec.network,
        "Mounts": [_mount(mount) for mount in spec.mounts],
        "LogConfig": {"Type": "none"},
        "AutoRemove": False,  # it races with reading the exit code
        "Init": init,
    }
    if not spec.gains_rights:
        config["SecurityOpt"] = ["no-new-privileges:true"]
    if spec.gpus is not None:
        config["DeviceRequests"] = [_gpus(spec.gpus)]
    if spec.in_memory:
        config["Tmpfs"] = dict.fromkeys(spec.in_memory, "rw,noexec,nosuid,nodev,mode=1777,size=64m")
    if spec.sysctls:
        config["Sysctls"] = dict(spec.sysctls)
    if spec.cpus is not None:
        config["NanoCpus"] = round(min(spec.cpus, processors or spec.cpus) * _NANO)
    if spec.memory is not None:
        config["Memory"] = config["MemorySwap"] = spec.memory
    if spec.pids is not None:
        config["PidsLimit"] = spec.pids
    if spec.dropped:
        config |= {"CapDrop": list(spec.dropped), "CapAdd": list(spec.added)}
    return config


def _gpus(gpus: str) -> dict[str, Any]:
    """What the command line sends for `--gpus`."""
    ids = gpus.removeprefix("device=").split(",") if gpus.startswith("device=") else []
    chosen = {"DeviceIDs": ids} if ids else {"Count": -1 if gpus == "all" else int(gpus)}
    return {**chosen, "Capabilities": [["gpu"]]}


def _mount(mount: ContainerMount) -> dict[str, Any]:
    common = {"Source": mount.source, "Target": mount.target, "ReadOnly": mount.read_only}
    if mount.kind == "host":
        return {"Type": "bind", **common}  # with this type, a missing folder is an error; it is not created silently
    return {"Type": "volume", **common, "VolumeOptions": {"NoCopy": True}}
