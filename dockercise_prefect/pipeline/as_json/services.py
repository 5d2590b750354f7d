"""Converts services to JSON and back. A stage without services has no entry for them, so that digests stay the same."""

from __future__ import annotations

from dockercise_prefect.errors import Place
from dockercise_prefect.pipeline.as_json.parts import (
    Json,
    env_from_json,
    env_to_json,
    image_from_json,
    image_to_json,
    mount_from_json,
    mount_to_json,
)
from dockercise_prefect.pipeline.model import Stage
from dockercise_prefect.pipeline.services import Readiness, Service


def services_of_stage(stage: Stage) -> Json:
    """The services of a stage, by their names."""
    return {"services": {service.name: _to_json(service) for service in stage.services}} if stage.services else {}


def services_from_json(entry: Json) -> tuple[Service, ...]:
    """Read what `services_of_stage` returned.

    Raises:
        KeyError, TypeError, ValueError: the object is not from `services_of_stage`.
    """
    return tuple(_from_json(name, data) for name, data in entry.get("services", {}).items())


def without_places(entry: Json) -> None:
    """Remove the places from what `services_of_stage` returned."""
    for service in entry.get("services", {}).values():
        del service["at"]


def _to_json(service: Service) -> Json:
    return {
        "image": image_to_json(service.image),
        "run": service.run,
        "env": {name: env_to_json(source) for name, source in service.env.items()},
        "mounts": [mount_to_json(mount) for mount in service.mounts],
        "ready": {"run": service.ready.run, "timeout": service.ready.timeout},
        "user": service.user,
        "cpus": service.cpus,
        "memory": service.memory,
        "at": None if service.place is None else str(service.place),
    }


def _from_json(name: str, data: Json) -> Service:
    image = image_from_json(data["image"])
    if image is None:
        raise ValueError(f"the service {name} has no image")
    return Service(
        name=name,
        image=image,
        run=data["run"],
        env={variable: env_from_json(source) for variable, source in data["env"].items()},
        mounts=tuple(mount_from_json(mount) for mount in data["mounts"]),
        ready=Readiness(data["ready"]["run"], data["ready"]["timeout"]),
        user=data["user"],
        cpus=data["cpus"],
        memory=data["memory"],
        place=None if data["at"] is None else Place.parse(data["at"]),
    )
