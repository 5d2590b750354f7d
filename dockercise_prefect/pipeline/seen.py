"""What an attempt at a stage and its services can see, besides images: volumes of other stages, and folders of the code."""

from __future__ import annotations

from collections.abc import Iterator

from dockercise_prefect.pipeline.model import Stage
from dockercise_prefect.pipeline.sources import CODE, CodeSnapshot, MountSource, StageName, StageVolume


def seen_volumes(stage: Stage) -> list[StageName]:
    """The stages whose volumes it mounts, works on or builds from, each once."""
    origin = [stage.on] if stage.on is not None and stage.on != CODE else []
    return list(dict.fromkeys([*(source.stage for source in _sources(stage) if isinstance(source, StageVolume)), *origin]))


def seen_folders(stage: Stage) -> list[str]:
    """The folders of the code that it mounts, works on or builds from, each once; an empty text is all of the code."""
    origin = [""] if stage.on == CODE else []
    return list(dict.fromkeys([*(source.folder for source in _sources(stage) if isinstance(source, CodeSnapshot)), *origin]))


def _sources(stage: Stage) -> Iterator[MountSource]:
    if stage.build is not None:
        yield stage.build.context
    yield from (mount.source for mount in stage.all_mounts)
