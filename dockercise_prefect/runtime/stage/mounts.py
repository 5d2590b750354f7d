"""What a stage mounts besides its own volume and `/out` (LANGUAGE sections 2 and 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TypeAlias

from dockercise_prefect.archives.tarball import Entry, Folder
from dockercise_prefect.errors import DefinitionError, Diagnostic, EngineError
from dockercise_prefect.pipeline import (
    CODE,
    CodeSnapshot,
    EngineVolume,
    HostPath,
    Mount,
    Pipeline,
    Stage,
    StageName,
    StageVolume,
)
from dockercise_prefect.pipeline.seen import seen_folders
from dockercise_prefect.runtime.engine import ContainerMount
from dockercise_prefect.runtime.files import aws_folder
from dockercise_prefect.runtime.files.shared_volumes import SharedVolumes
from dockercise_prefect.runtime.files.volumes import Volumes
from dockercise_prefect.runtime.stage.job import JobResult, OwnVolume

KeptVolume: TypeAlias = Callable[[StageName, OwnVolume], Iterable[bytes]]
"""Reads what an earlier run left in the volume of a stage that is reused: a tar stream whose paths begin with the stage's name.

Raises a `DockerciseError` if it is gone, or cannot be read.
"""


def no_kept_volume(stage: StageName, volume: OwnVolume) -> Iterable[bytes]:
    """A `KeptVolume` for runs that reuse nothing."""
    raise EngineError(f"the volume of {stage} is in the results of {volume.reused_from}, which this run does not use")


def uses_code(stage: Stage) -> bool:
    """Whether the stage needs the run's snapshot of all of the code."""
    return "" in code_folders([stage])


def code_folders(stages: Iterable[Stage]) -> list[str]:
    """The folders of the code that the stages need, each once; an empty text is all of the code."""
    return list(dict.fromkeys(folder for stage in stages for folder in seen_folders(stage)))


def check_code_folders(pipeline: Pipeline, code: Iterable[Entry]) -> None:
    """Make sure that every folder of the code that is mounted exists.

    Raises:
        DefinitionError: folders do not exist, or are not folders (DK053). Has all of them.
    """
    known = {entry.path: entry for entry in code}
    findings = [
        Diagnostic("DK053", f"{stage.name} cannot mount `{CODE}/{mount.source.folder}`: {trouble}", stage.place, hint=_LEFT_OUT)
        for stage in pipeline.containers.values()
        for mount in stage.mounts
        if isinstance(mount.source, CodeSnapshot) and (trouble := _trouble_in_code(mount.source.folder, known)) is not None
    ]
    if findings:
        raise DefinitionError(findings)


_LEFT_OUT = "files that git or `.dockerciseignore` ignores are not part of the code, nor are empty folders in git"


def _trouble_in_code(folder: str, known: Mapping[str, Entry]) -> str | None:
    if not folder or isinstance(known.get(folder), Folder):
        return None
    return "it is not a folder" if folder in known else "the code has no such folder"


def used_volumes(pipeline: Pipeline) -> frozenset[StageName]:
    """The stages whose own volumes other stages mount, copy or build: in this run, or in a later one that reuses the stage."""
    sources = {mount.source for stage in pipeline.containers.values() for mount in stage.mounts}
    mounted = {source.stage for source in sources if isinstance(source, StageVolume)}
    copied = {stage.on for stage in pipeline if stage.on is not None}
    contexts = [stage.build.context for stage in pipeline if stage.build is not None]
    reusable = {stage.name for stage in pipeline if stage.cache is not None}
    return frozenset(mounted | copied | reusable | {context.stage for context in contexts if isinstance(context, StageVolume)})


def engine_volumes(pipeline: Pipeline) -> list[str]:
    """The engine's own volumes that stages mount, each once."""
    sources = [mount.source for stage in pipeline.containers.values() for mount in stage.mounts]
    return list(dict.fromkeys(source.name for source in sources if isinstance(source, EngineVolume)))


def check_host_paths(pipeline: Pipeline, root: Path | None) -> None:
    """Make sure that every external bind below the root exists, and is really below the root.

    Raises:
        DefinitionError: binds do not exist, or are not below the root (DK053). Has all of them.
    """
    findings = [
        Diagnostic(
            "DK053",
            f"{stage.name} cannot mount {mount.source.path}: {trouble}",
            stage.place,
            hint=_stage_meant(mount.source.path, mount.target, pipeline),
        )
        for stage in pipeline.containers.values()
        for mount in stage.mounts
        if isinstance(mount.source, HostPath) and (trouble := _trouble_with(mount.source.path, root)) is not None
    ]
    if findings:
        raise DefinitionError(findings)


def _trouble_with(path: str, root: Path | None) -> str | None:
    if not _is_below_root(path):
        return None
    if root is None:
        return "the run has no root folder"
    real = (root / path).resolve()
    if not real.is_relative_to(root.resolve()):
        return "it is outside the root"
    return None if real.exists() else "there is no such file or folder below the root"


def _stage_meant(path: str, target: str, pipeline: Pipeline) -> str | None:
    name = path.removeprefix("./")
    return f"did you mean `{name}:{target}`, the volume of the stage `{name}`?" if name in pipeline.by_name else None


def _is_below_root(path: str) -> bool:
    return path == "." or path.startswith("./")


class StageMounts:
    """Turns what a stage mounts into mounts of the engine. Also makes what several stages share.

    Args:
        volumes: makes them.
        shared: what several stages mount.
        root: the folder that paths beginning with `./` are relative to.
        kept_volume: reads the volume of a stage that is reused.
        aws: whether every stage gets the AWS folder.
    """

    def __init__(
        self, volumes: Volumes, shared: SharedVolumes, root: Path | None, kept_volume: KeptVolume, *, aws: bool
    ) -> None:
        self._kept_volume = kept_volume
        self._volumes = volumes
        self._shared = shared
        self._root = root
        self._aws = aws

    def of(self, stage: Stage, inputs: Mapping[StageName, JobResult], image: str) -> tuple[ContainerMount, ...]:
        """Everything that the stage's container mounts, except the stage's own volume and `/out`.

        Args:
            stage: the stage of the container.
            inputs: what the stages that it needs left.
            image: the id of any image on the engine.

        Raises:
            EngineError: one of the volumes is gone, or cannot be made.
        """
        return (*self._aws_folder(image), *self.written(stage, inputs, image))

    def written(self, stage: Stage, inputs: Mapping[StageName, JobResult], image: str) -> tuple[ContainerMount, ...]:
        """What its `vol` says, for a stage or for a service in the form of a stage. Everything else is as for `of`."""
        return tuple(self._one(mount, inputs, image) for mount in stage.mounts)

    def volume_of(self, stage: StageName, inputs: Mapping[StageName, JobResult], image: str) -> str:
        """The volume of a stage that has ended. If the stage has none, this is an empty volume.

        Args:
            stage: the stage.
            inputs: its result, among others.
            image: the id of any image on the engine.

        Raises:
            DockerciseError: the volume was removed, or what an earlier run left in it is gone.
        """
        volume = inputs[stage].volume if stage in inputs else None
        if volume is None:
            name = self._shared.empty(stage)
        elif volume.reused_from is not None:
            name = self._shared.restored(stage, str(volume.digest), partial(self._kept_volume, stage, volume), image)
        else:
            name = volume.name
        self._volumes.check_there(name, f"the volume of {stage}")
        return name

    def _aws_folder(self, image: str) -> Iterator[ContainerMount]:
        if self._aws:
            for target in (aws_folder.SHARED_PATH, aws_folder.ROOT_PATH):
                yield ContainerMount("volume", self._shared.aws(image), target, read_only=True)

    def _one(self, mount: Mount, inputs: Mapping[StageName, JobResult], image: str) -> ContainerMount:
        read_only = mount.mode == "ro"
        match mount.source:
            case StageVolume(stage):
                # Always read-only, whatever the pipeline says: no stage may change the volume of another stage.
                return ContainerMount("volume", self.volume_of(stage, inputs, image), mount.target, read_only=True)
            case CodeSnapshot(folder):
                return ContainerMount("volume", self._shared.code(image, folder), mount.target, read_only=True)
            case EngineVolume(name):
                return ContainerMount("volume", name, mount.target, read_only)
            case HostPath(path):
                return ContainerMount("host", self._host(path), mount.target, read_only)

    def _host(self, path: str) -> str:
        return str((self._root / path).resolve()) if self._root is not None and _is_below_root(path) else path
