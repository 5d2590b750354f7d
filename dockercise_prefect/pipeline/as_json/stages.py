"""Converts a stage to plain JSON values and back."""

from __future__ import annotations

from dockercise_prefect.errors import Place
from dockercise_prefect.pipeline.as_json.lifecycle import lifecycle_of_stage, stage_lifecycle_from_json
from dockercise_prefect.pipeline.as_json.parts import (
    Json,
    build_from_json,
    build_to_json,
    env_from_json,
    env_to_json,
    image_from_json,
    image_to_json,
    instance_from_json,
    instance_to_json,
    mount_from_json,
    mount_to_json,
    triggers_in_order,
)
from dockercise_prefect.pipeline.as_json.services import services_from_json, services_of_stage, without_places
from dockercise_prefect.pipeline.dependency import Dependency, DependencyKind
from dockercise_prefect.pipeline.model import Network, PullPolicy, Stage
from dockercise_prefect.pipeline.sources import StageName


def meaning_of(stage: Stage) -> Json:
    """What a stage does: its entry in `to_json` without places, and without whether an edge was written or inferred."""
    entry = stage_to_json(stage, None)
    del entry["at"], entry["sensitive"]
    without_places(entry)
    edges = ({key: value for key, value in edge.items() if key not in {"at", "inferred"}} for edge in entry["depends_on"])
    entry["depends_on"] = sorted(edges, key=lambda edge: (edge["stage"], edge["kind"]))
    entry["triggers"] = triggers_in_order(stage)
    return entry


def stage_to_json(stage: Stage, sensitive: str | None = None) -> Json:
    """One stage as plain JSON values, without its name; `sensitive` says why its output is sensitive."""
    return {
        "image": image_to_json(stage.image),
        "build": None if stage.build is None else build_to_json(stage.build),
        "run": stage.run,
        "env": {name: env_to_json(source) for name, source in stage.env.items()},
        "mounts": [mount_to_json(mount) for mount in stage.mounts],
        "on": stage.on,
        "working_dir": stage.working_dir,
        "timeout": stage.timeout,
        "depends_on": [
            {
                "stage": edge.stage,
                "kind": edge.kind.value,
                **({} if edge.seen_as is None else {"seen_as": edge.seen_as}),
                "inferred": edge.inferred,
                "at": _place_to_json(edge.place),
            }
            for edge in stage.depends_on
        ],
        "no_log": stage.no_log,
        "sensitive": sensitive,
        "never_fail": stage.never_fail,
        "triggers": list(stage.triggers),
        "user": stage.user,
        "network": stage.network.value,
        "pull": stage.pull.value,
        "platform": stage.platform,
        "cpus": stage.cpus,
        "memory": stage.memory,
        **lifecycle_of_stage(stage),
        **services_of_stage(stage),
        **({"sudo": True} if stage.sudo else {}),  # only then, so that the digests of other pipelines stay as they were
        **({} if stage.instance is None else {"instance": instance_to_json(stage.instance)}),  # as above
        "at": _place_to_json(stage.place),
    }


def stage_from_json(name: StageName, entry: Json) -> Stage:
    """Read what `stage_to_json` returned.

    Raises:
        KeyError, TypeError, ValueError: the object is not a printed stage.
    """
    return Stage(
        name=name,
        image=image_from_json(entry["image"]),
        build=None if entry["build"] is None else build_from_json(entry["build"]),
        run=entry["run"],
        env={variable: env_from_json(source) for variable, source in entry["env"].items()},
        mounts=tuple(mount_from_json(mount) for mount in entry["mounts"]),
        on=entry["on"],
        working_dir=entry["working_dir"],
        timeout=entry["timeout"],
        depends_on=tuple(
            Dependency(
                edge["stage"],
                DependencyKind(edge["kind"]),
                _place_from_json(edge["at"]),
                edge["inferred"],
                edge.get("seen_as"),
            )
            for edge in entry["depends_on"]
        ),
        no_log=entry["no_log"],
        never_fail=entry["never_fail"],
        triggers=tuple(entry["triggers"]),
        user=entry["user"],
        network=Network(entry["network"]),
        pull=PullPolicy(entry["pull"]),
        platform=entry["platform"],
        cpus=entry["cpus"],
        memory=entry["memory"],
        **stage_lifecycle_from_json(entry),
        sudo=entry.get("sudo", False),
        services=services_from_json(entry),
        instance=instance_from_json(entry["instance"]) if "instance" in entry else None,
        place=_place_from_json(entry["at"]),
    )


def _place_to_json(place: Place | None) -> str | None:
    return None if place is None else str(place)


def _place_from_json(text: str | None) -> Place | None:
    return None if text is None else Place.parse(text)
