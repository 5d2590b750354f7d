"""The function with which a service is written in Python."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from dockercise_prefect.errors import Place
from dockercise_prefect.pipeline.dependency import DependencyKind
from dockercise_prefect.pipeline.model import Stage
from dockercise_prefect.pipeline.services import READY_SECONDS, Readiness, Service
from dockercise_prefect.pipeline.sources import (
    EnvSource,
    Image,
    ImageReference,
    LiteralValue,
    Mount,
    StageImage,
    StageName,
    StageVolume,
    stages_of,
)


def service(
    name: str,
    image: str | Stage,
    *,
    run: str | None = None,
    env: Mapping[str, EnvSource | str] | None = None,
    volumes: Sequence[Mount] = (),
    ready: str | None = None,
    ready_timeout: float = READY_SECONDS,
    user: str | None = None,
    cpus: float | None = None,
    memory: int | None = None,
    at: str | None = None,
) -> Service:
    """Declare a service: a container beside a stage, for the stage's `services`.

    Args:
        name: its host name.
        image: a reference, or a stage: then it runs in the image that this stage built, or else left behind.
        run: a shell script; None runs the image's own entrypoint and command.
        env: maps each variable to its source: a stage's `.value`, `host(…)`, or a text.
        volumes: stages' `.volume`, `code`, `bind(…)`, `engine_volume(…)`.
        ready: a script that succeeds when the service is ready; None for the health check of the image.
        ready_timeout: seconds that it may take to get ready.
        memory: bytes.
        at: `path:line:column` of the YAML that the service was compiled from.

    Raises:
        ValueError: `at` is not a place.
    """
    return Service(
        name=name,
        image=image_of(image),
        run=run,
        env=sources_of(env),
        mounts=tuple(volumes),
        ready=Readiness(ready, ready_timeout),
        user=user,
        cpus=cpus,
        memory=memory,
        place=None if at is None else Place.parse(at),
    )


def image_of(image: str | Stage) -> Image:
    """The image that a declaration names."""
    return StageImage(image.name) if isinstance(image, Stage) else ImageReference(image)


def sources_of(env: Mapping[str, EnvSource | str] | None) -> dict[str, EnvSource]:
    """The variables of a declaration."""
    return {variable: LiteralValue(source) if isinstance(source, str) else source for variable, source in (env or {}).items()}


def edges_of(env: Iterable[EnvSource], mounts: Iterable[Mount]) -> Iterator[tuple[StageName, DependencyKind]]:
    """The edges that follow from variables and mounts, those of the variables first."""
    yield from ((stage, DependencyKind.ENV) for source in env for stage in stages_of(source))
    yield from ((mount.source.stage, DependencyKind.VOL) for mount in mounts if isinstance(mount.source, StageVolume))
