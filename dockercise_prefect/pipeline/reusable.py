"""Whether a stage may be reused at all: when nothing that it is made from has changed since it last passed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dockercise_prefect.pipeline.model import Network, Pipeline, Stage
from dockercise_prefect.pipeline.sensitivity import sensitive_stages
from dockercise_prefect.pipeline.sources import EngineVolume, HostPath, StageImage, StageName


def not_reusable(pipeline: Pipeline) -> Mapping[StageName, str]:
    """For each stage that cannot be reused, whether it wants to or not, the reason: words that follow `it` and are true of it.

    Such a stage is made from something whose content nobody knows, or leaves something that is not kept. Stages that start no
    container are left out.
    """
    sensitive = sensitive_stages(pipeline)
    images = {each.image.stage for each in pipeline.containers.values() if isinstance(each.image, StageImage)}
    found: dict[StageName, str] = {}
    for stage in pipeline:
        if stage.starts_container or stage.build is not None:
            why = next(_reasons(stage, sensitive.get(stage.name), leaves_image=stage.name in images), None)
            if why is not None:
                found[stage.name] = why
    return found


def _reasons(stage: Stage, sensitive: str | None, *, leaves_image: bool) -> Iterator[str]:
    for mount in stage.all_mounts:
        match mount.source:
            case HostPath(path):
                yield f"mounts `{path}`, which can change without notice"
            case EngineVolume(name):
                yield f"mounts `{name}`, a volume of the engine that other runs write to"
    if stage.network is Network.HOST:
        yield "uses the network of the engine's machine"
    if stage.build is not None:
        yield "builds an image, and the engine itself spares the steps that have not changed"
    if leaves_image:
        yield "leaves an image that other stages run in, and images are not kept"
    if stage.when.cleans_up:
        yield "also runs after failures, whatever came before"
    if sensitive is not None:
        yield f"is sensitive ({sensitive}), so nothing of it is kept"
