"""Converts the parts of a stage to JSON and back: its image, its build, its variables and its mounts."""

from __future__ import annotations

from typing import Any, TypeAlias

from dockercise_prefect.pipeline.instances import Instance
from dockercise_prefect.pipeline.model import Stage
from dockercise_prefect.pipeline.sources import (
    Build,
    CodeSnapshot,
    EngineVolume,
    EnvSource,
    HostPath,
    HostVariable,
    Image,
    ImageReference,
    LiteralValue,
    Mount,
    MountSource,
    ParameterValue,
    StageImage,
    StageValue,
    StageValues,
    StageVolume,
)

Json: TypeAlias = dict[str, Any]


def image_to_json(image: Image | None) -> Json | None:
    """A stage's image."""
    match image:
        case None:
            return None
        case ImageReference(ref):
            return {"ref": ref}
        case StageImage(stage):
            return {"stage": stage}


def image_from_json(data: Json | None) -> Image | None:
    """Read what `image_to_json` returned."""
    match data:
        case None:
            return None
        case {"ref": ref}:
            return ImageReference(ref)
        case {"stage": stage}:
            return StageImage(stage)
    raise ValueError(f"not an image: {data!r}")


def build_to_json(build: Build) -> Json:
    """A stage's build."""
    # The key is left out if there are no secrets, so that pipelines without secrets keep their digests.
    secrets = {"secrets": list(build.secrets)} if build.secrets else {}
    return {
        "context": _source_to_json(build.context),
        "folder": build.folder,
        "dockerfile": build.dockerfile,
        "args": dict(build.args),
        "target": build.target,
        **secrets,
    }


def build_from_json(data: Json) -> Build:
    """Read what `build_to_json` returned."""
    context = _source_from_json(data["context"])
    if not isinstance(context, CodeSnapshot | StageVolume):
        raise ValueError(f"not the context of a build: {data['context']!r}")  # noqa: TRY004  a document, not an argument
    return Build(context, data["folder"], data["dockerfile"], data["args"], data["target"], tuple(data.get("secrets", ())))


def env_to_json(source: EnvSource) -> Json:
    """Where a variable comes from."""
    match source:
        case StageValue(stage):
            return {"stage": stage}
        case StageValues(stages):
            return {"stages": list(stages)}
        case HostVariable(name, optional):
            return {"host": name, "optional": optional}
        case LiteralValue(text):
            return {"value": text}
        case ParameterValue(parameter):
            return {"parameter": parameter}


def env_from_json(data: Json) -> EnvSource:
    """Read what `env_to_json` returned."""
    match data:
        case {"stage": stage}:
            return StageValue(stage)
        case {"stages": stages}:
            return StageValues(tuple(stages))
        case {"host": name, "optional": optional}:
            return HostVariable(name, optional)
        case {"value": text}:
            return LiteralValue(text)
        case {"parameter": parameter}:
            return ParameterValue(parameter)
    raise ValueError(f"not the source of a variable: {data!r}")


def instance_to_json(instance: Instance) -> Json:
    """Which instance of a stage it is. The values are a list, because their order counts."""
    return {"of": instance.of, "key": instance.key, "values": [[name, value] for name, value in instance.values.items()]}


def instance_from_json(data: Json) -> Instance:
    """Read what `instance_to_json` returned."""
    return Instance(data["of"], data["key"], dict(data["values"]))


def mount_to_json(mount: Mount) -> Json:
    """A mount of a stage."""
    return {"source": _source_to_json(mount.source), "target": mount.target, "mode": mount.mode}


def mount_from_json(data: Json) -> Mount:
    """Read what `mount_to_json` returned."""
    return Mount(_source_from_json(data["source"]), data["target"], data["mode"])


def _source_to_json(source: MountSource) -> Json:
    match source:
        case StageVolume(stage):
            return {"stage": stage}
        case CodeSnapshot(folder):
            return {"code": True, "folder": folder} if folder else {"code": True}
        case HostPath(path):
            return {"host": path}
        case EngineVolume(name):
            return {"volume": name}


def _source_from_json(data: Json) -> MountSource:
    match data:
        case {"stage": stage}:
            return StageVolume(stage)
        case {"code": True}:
            return CodeSnapshot(data.get("folder", ""))
        case {"host": path}:
            return HostPath(path)
        case {"volume": name}:
            return EngineVolume(name)
    raise ValueError(f"not the source of a mount: {data!r}")


def triggers_in_order(stage: Stage) -> list[str]:
    """A stage's globs, sorted if their order has no meaning. It has one if there is a `!`, which excludes earlier matches."""
    return list(stage.triggers) if any(glob.startswith("!") for glob in stage.triggers) else sorted(stage.triggers)
