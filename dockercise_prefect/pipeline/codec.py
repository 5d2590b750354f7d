"""A pipeline to JSON and back: the stable object of `compile --format json` and of `index.json` (DESIGN section 3)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, TypeAlias

from dockercise_prefect.errors import Place
from dockercise_prefect.pipeline.model import (
    Build,
    CodeSnapshot,
    Dependency,
    DependencyKind,
    EngineVolume,
    EnvSource,
    HostPath,
    HostVariable,
    Image,
    ImageReference,
    LiteralValue,
    Mount,
    MountSource,
    Network,
    Pipeline,
    PullPolicy,
    Stage,
    StageImage,
    StageName,
    StageValue,
    StageVolume,
)

Json: TypeAlias = dict[str, Any]


def to_json(pipeline: Pipeline, targets: Sequence[StageName] = ()) -> Json:
    """The pipeline as plain JSON values, key order stable.

    Args:
        pipeline: what to print.
        targets: what the user asked for; empty means everything.
    """
    return {
        "name": pipeline.name,
        "digest": pipeline.digest or digest_of(pipeline),
        "targets": list(targets),
        "tags": list(pipeline.tags),
        "stages": {stage.name: _stage_to_json(stage) for stage in pipeline},
    }


def from_json(data: Json) -> Pipeline:
    """Read back what `to_json` gave.

    Raises:
        KeyError, TypeError, ValueError: the object is no printed pipeline.
    """
    stages = tuple(_stage_from_json(name, entry) for name, entry in data["stages"].items())
    return Pipeline(data["name"], stages, tuple(data["tags"]), data["digest"])


def digest_of(pipeline: Pipeline) -> str:
    """`sha256:…` over what the pipeline does.

    Its name is left out, the places of the source, and whether an edge was written or inferred.
    """
    canonical = json.dumps(_meaning(pipeline), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def meaning_of(stage: Stage) -> Json:
    """What a stage does, as plain JSON values: its entry in `to_json` without places and without who inferred an edge."""
    entry = _stage_to_json(stage)
    del entry["at"]
    edges = ({key: value for key, value in edge.items() if key not in {"at", "inferred"}} for edge in entry["depends_on"])
    entry["depends_on"] = sorted(edges, key=lambda edge: (edge["stage"], edge["kind"]))
    entry["triggers"] = sorted(entry["triggers"])
    return entry


def _meaning(pipeline: Pipeline) -> Json:
    return {"tags": sorted(pipeline.tags), "stages": {stage.name: meaning_of(stage) for stage in pipeline}}


def _stage_to_json(stage: Stage) -> Json:
    return {
        "image": _image_to_json(stage.image),
        "build": None if stage.build is None else _build_to_json(stage.build),
        "run": stage.run,
        "env": {name: _env_to_json(source) for name, source in stage.env.items()},
        "mounts": [
            {"source": _source_to_json(mount.source), "target": mount.target, "mode": mount.mode} for mount in stage.mounts
        ],
        "on": stage.on,
        "working_dir": stage.working_dir,
        "timeout": stage.timeout,
        "depends_on": [
            {"stage": edge.stage, "kind": edge.kind.value, "inferred": edge.inferred, "at": _place_to_json(edge.place)}
            for edge in stage.depends_on
        ],
        "no_log": stage.no_log,
        "never_fail": stage.never_fail,
        "triggers": list(stage.triggers),
        "user": stage.user,
        "network": stage.network.value,
        "pull": stage.pull.value,
        "platform": stage.platform,
        "cpus": stage.cpus,
        "memory": stage.memory,
        "at": _place_to_json(stage.place),
    }


def _stage_from_json(name: StageName, entry: Json) -> Stage:
    return Stage(
        name=name,
        image=_image_from_json(entry["image"]),
        build=None if entry["build"] is None else _build_from_json(entry["build"]),
        run=entry["run"],
        env={variable: _env_from_json(source) for variable, source in entry["env"].items()},
        mounts=tuple(Mount(_source_from_json(mount["source"]), mount["target"], mount["mode"]) for mount in entry["mounts"]),
        on=entry["on"],
        working_dir=entry["working_dir"],
        timeout=entry["timeout"],
        depends_on=tuple(
            Dependency(edge["stage"], DependencyKind(edge["kind"]), _place_from_json(edge["at"]), edge["inferred"])
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
        place=_place_from_json(entry["at"]),
    )


def _place_to_json(place: Place | None) -> str | None:
    return None if place is None else str(place)


def _place_from_json(text: str | None) -> Place | None:
    return None if text is None else Place.parse(text)


def _image_to_json(image: Image | None) -> Json | None:
    match image:
        case None:
            return None
        case ImageReference(ref):
            return {"ref": ref}
        case StageImage(stage):
            return {"stage": stage}


def _image_from_json(data: Json | None) -> Image | None:
    match data:
        case None:
            return None
        case {"ref": ref}:
            return ImageReference(ref)
        case {"stage": stage}:
            return StageImage(stage)
    raise ValueError(f"no image: {data!r}")


def _build_to_json(build: Build) -> Json:
    return {
        "context": _source_to_json(build.context),
        "folder": build.folder,
        "dockerfile": build.dockerfile,
        "args": dict(build.args),
        "target": build.target,
    }


def _build_from_json(data: Json) -> Build:
    context = _source_from_json(data["context"])
    if not isinstance(context, CodeSnapshot | StageVolume):
        raise ValueError(f"no context of a build: {data['context']!r}")  # noqa: TRY004  a document, not an argument
    return Build(context, data["folder"], data["dockerfile"], data["args"], data["target"])


def _env_to_json(source: EnvSource) -> Json:
    match source:
        case StageValue(stage):
            return {"stage": stage}
        case HostVariable(name, optional):
            return {"host": name, "optional": optional}
        case LiteralValue(text):
            return {"value": text}


def _env_from_json(data: Json) -> EnvSource:
    match data:
        case {"stage": stage}:
            return StageValue(stage)
        case {"host": name, "optional": optional}:
            return HostVariable(name, optional)
        case {"value": text}:
            return LiteralValue(text)
    raise ValueError(f"no source of a variable: {data!r}")


def _source_to_json(source: MountSource) -> Json:
    match source:
        case StageVolume(stage):
            return {"stage": stage}
        case CodeSnapshot():
            return {"code": True}
        case HostPath(path):
            return {"host": path}
        case EngineVolume(name):
            return {"volume": name}


def _source_from_json(data: Json) -> MountSource:
    match data:
        case {"stage": stage}:
            return StageVolume(stage)
        case {"code": True}:
            return CodeSnapshot()
        case {"host": path}:
            return HostPath(path)
        case {"volume": name}:
            return EngineVolume(name)
    raise ValueError(f"no source of a mount: {data!r}")
