"""Which stages see files of the code that have changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dockercise_prefect.globs import Globs
from dockercise_prefect.pipeline.model import Pipeline, Stage
from dockercise_prefect.pipeline.sources import CODE, CodeSnapshot, HostPath, StageName


class SeenFiles:
    """The files below the root that the stages of a pipeline see.

    A stage sees the folders of the code that it mounts, works `on` or builds from, the files that it names in `cache.also`, and
    the folders below the root that it mounts as they are. What it gets from other stages does not count: whether that changes
    is not known before they run.

    Paths are relative to the root, with `/`, and may be those of folders, also of such that are gone.

    Args:
        pipeline: the pipeline.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._folders = {stage.name: frozenset(_folders(stage)) for stage in pipeline}
        self._also = {stage.name: stage.cache.also for stage in pipeline if stage.cache is not None and stage.cache.also}
        self._globs = {patterns: Globs(patterns) for patterns in self._also.values()}

    def stages(self, paths: Iterable[str]) -> list[StageName]:
        """The stages that see one of the paths, in the pipeline's order."""
        changed = set(paths)
        around = {folder for path in changed for folder in _up_from(path)}
        matched = {patterns for patterns, globs in self._globs.items() if any(map(globs.takes, changed))}
        return [
            name
            for name, folders in self._folders.items()
            if any(folder in around or not changed.isdisjoint(_up_from(folder)) for folder in folders)
            or self._also.get(name) in matched
        ]

    def among(self, paths: Iterable[str]) -> list[str]:
        """The paths that some stage sees, in the same order."""
        folders = frozenset().union(*self._folders.values())
        above = {folder for seen in folders for folder in _up_from(seen)}
        return [
            path
            for path in paths
            if path in above
            or not folders.isdisjoint(_up_from(path))
            or any(globs.takes(path) for globs in self._globs.values())
        ]


def written_folders(pipeline: Pipeline) -> frozenset[str]:
    """The folders below the root that stages mount as they are and may write to; an empty text is the root itself."""
    sources = (mount.source for each in pipeline.containers.values() for mount in each.mounts if mount.mode == "rw")
    return frozenset(_joined(source.path) for source in sources if isinstance(source, HostPath) and _is_below_root(source))


def is_in_one_of(path: str, folders: Iterable[str]) -> bool:
    """Whether a path is one of the folders or something in it. All are relative to the root; an empty text is the root."""
    return not set(folders).isdisjoint(_up_from(path))


def _folders(stage: Stage) -> Iterator[str]:
    if stage.on == CODE:
        yield ""
    if stage.build is not None and isinstance(stage.build.context, CodeSnapshot):
        yield _joined(stage.build.context.folder, stage.build.folder)
    for mount in stage.all_mounts:
        match mount.source:
            case CodeSnapshot(folder):
                yield folder
            case HostPath(path) if _is_below_root(mount.source):
                yield _joined(path)
            case _:
                pass


def _up_from(path: str) -> Sequence[str]:
    """The path, the folders that it is in, and an empty text for the root."""
    parts = path.split("/")
    return [*("/".join(parts[:count]) for count in range(len(parts) + 1))]


def _is_below_root(source: HostPath) -> bool:
    return source.path == "." or source.path.startswith("./")


def _joined(*parts: str) -> str:
    return "/".join(piece for part in parts for piece in part.split("/") if piece not in {"", "."})
