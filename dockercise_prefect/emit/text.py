"""A pipeline as a listing for people, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from dockercise_prefect.emit.lifecycle import run_in_words, stage_in_words
from dockercise_prefect.emit.literals import one_line
from dockercise_prefect.emit.parameters import listed_parameters
from dockercise_prefect.emit.request import Request
from dockercise_prefect.emit.services import services_in_words
from dockercise_prefect.pipeline import (
    CODE,
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
    Network,
    ParameterValue,
    PullPolicy,
    Stage,
    StageImage,
    StageValue,
    StageValues,
    StageVolume,
    to_json_text,
)
from dockercise_prefect.pipeline.run_context import RUN_VARIABLES


def json_text(request: Request) -> str:
    """The stable JSON object of a pipeline (DESIGN section 3)."""
    return to_json_text(request.pipeline, request.targets)


def listing(request: Request) -> str:
    """The stages in order, each with what it runs, what it can read and what it waits for."""
    pipeline = request.pipeline
    stages = "1 stage" if len(pipeline) == 1 else f"{len(pipeline)} stages"
    head = f"{pipeline.name} · {stages} · {pipeline.digest}\n"
    if pipeline.tags:
        head += f"tags: {', '.join(pipeline.tags)}\n"
    head += "".join(f"{name}: {value}\n" for name, value in run_in_words(pipeline))
    head += "".join(f"parameter {name}: {words}\n" for name, words in listed_parameters(pipeline.parameters))
    return head + "".join(f"\n{_stage(stage)}" for stage in pipeline)


def _stage(stage: Stage) -> str:
    head = f"{stage.name}  ({stage.place})" if stage.place else stage.name
    return "".join(f"{line}\n" for line in [head, *(f"  {name:<9} {value}" for name, value in _lines(stage))])


def _lines(stage: Stage) -> Iterator[tuple[str, str]]:
    yield "image", image_of(stage.image) if stage.build is None else build_of(stage.build)
    if stage.run is not None:
        first, *rest = stage.run.rstrip("\n").split("\n")
        yield "run", _visible(first)
        yield from (("", _visible(line)) for line in rest)
    yield from (("env", f"{name} = {_source(source)}") for name, source in stage.env.items())
    yield from (("mount", mount_of(mount)) for mount in stage.mounts)
    if stage.on is not None:
        yield "on", "a copy of the code" if stage.on == CODE else f"a copy of the volume of {stage.on}"
    yield "dir", stage.working_dir
    yield from settings_of(stage)
    for edge in stage.depends_on:
        where = f"  ({edge.place})" if edge.place else ""
        yield "needs", f"{edge.stage}, by {'inferred ' if edge.inferred else ''}{edge.kind}{where}"


def settings_of(stage: Stage) -> Iterator[tuple[str, str]]:
    """The settings that do not have their default, each as a name and a text."""
    if stage.timeout is not None:
        yield "timeout", f"{stage.timeout} s"
    if stage.no_log:
        yield "noLog", "its output is never shown and never kept"
    if stage.never_fail:
        yield "neverFail", "any exit code counts as success"
    yield from (("trigger", pattern) for pattern in stage.triggers)
    if stage.user is not None:
        yield "user", stage.user
    if stage.network is not Network.BRIDGE:
        yield "network", stage.network
    if stage.pull is not PullPolicy.MISSING:
        yield "pull", stage.pull
    if stage.platform is not None:
        yield "platform", stage.platform
    yield from _limits_and_rights_of(stage)


def _limits_and_rights_of(stage: Stage) -> Iterator[tuple[str, str]]:
    if stage.cpus is not None:
        yield "cpus", f"{stage.cpus}"
    if stage.memory is not None:
        yield "memory", f"{stage.memory:,} bytes"
    yield from stage_in_words(stage)
    yield from services_in_words(stage.services, image_of)
    if stage.sudo:
        yield "sudo", "programs may gain rights that its user does not have"


def image_of(image: Image | None) -> str:
    """What a stage runs in."""
    match image:
        case None:
            return "none, no container is started"
        case ImageReference(ref):
            return ref
        case StageImage(stage):
            return f"that of {stage}"


def build_of(build: Build) -> str:
    """What a stage builds."""
    folder = "" if build.folder == "." else f", folder {build.folder}"
    target = "" if build.target is None else f", up to {build.target}"
    secrets = f", with the secrets {', '.join(build.secrets)}" if build.secrets else ""
    return f"built with {build.dockerfile} from {source_of(build.context)}{folder}{target}{secrets}"


def _source(source: EnvSource) -> str:
    match source:
        case StageValue(stage):
            return f"value of {stage}"
        case StageValues(stages):
            return f"values of {', '.join(stages)}"
        case HostVariable(name) if name in RUN_VARIABLES:
            return "set by the run"
        case HostVariable(name, optional):
            return f"{name} from outside" + (", if it is set" if optional else "")
        case LiteralValue(text):
            return one_line(text)
        case ParameterValue(parameter):
            return f"the parameter {parameter}"


def mount_of(mount: Mount) -> str:
    """What is mounted where."""
    return f"{mount.target} = {source_of(mount.source)} ({mount.mode})"


def source_of(source: MountSource) -> str:
    """What is mounted."""
    match source:
        case StageVolume(stage):
            return f"volume of {stage}"
        case CodeSnapshot(folder):
            return f"the folder {folder} of the code" if folder else "the code"
        case HostPath(path):
            return f"{path} below the root" if path.startswith("./") else f"{path} on the engine's machine"
        case EngineVolume(name):
            return f"the engine's volume {name}"


def _visible(line: str) -> str:
    """A line of a script without characters that would move the cursor."""
    return line if line.replace("\t", "").isprintable() else one_line(line)
