"""Which stages see files of the code that have changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dockercise_prefect.globs import Globs
from dockercise_prefect.pipeline.model import CODE, CodeSnapshot, HostPath, Pipeline, Stage, StageName


def touched_stages(pipeline: Pipeline, paths: Iterable[str]) -> list[StageName]:
    """The stages that see one of the paths, in the pipeline's order.

    A stage sees the folders of the code that it mounts, works `on` or builds from, the files that it names in `cache.also`, and
    the folders below the root that it mounts as they are. A stage that only gets what another one made from them is left out:
    whether it gets something else is not known before.

    Args:
        pipeline: the pipeline.
        paths: paths of changed files or folders relative to the root, with `/`.
    """
    changed = sorted(set(paths))
    return [stage.name for stage in pipeline if _sees(stage, changed)]


def written_folders(pipeline: Pipeline) -> frozenset[str]:
    """The folders below the root that stages mount as they are and may write to; an empty text is the root itself."""
    mounts = (mount for stage in pipeline for mount in stage.mounts if mount.mode == "rw")
    sources = (mount.source for mount in mounts)
    return frozenset(_below_root(source.path) for source in sources if isinstance(source, HostPath) and _is_ours(source.path))


def is_in(path: str, folder: str) -> bool:
    """Whether a path is a folder or something in it. Both are relative to the root; an empty text is the root itself."""
    return not folder or path == folder or path.startswith(f"{folder}/")


def _sees(stage: Stage, paths: Iterable[str]) -> bool:
    folders = list(_folders(stage))
    also = Globs(stage.cache.also) if stage.cache is not None and stage.cache.also else None
    for path in paths:
        if any(is_in(path, folder) or is_in(folder, path) for folder in folders):  # a folder above it may be new, or gone
            return True
        if also is not None and also.takes(path):
            return True
    return False


def _folders(stage: Stage) -> Iterator[str]:
    if stage.on == CODE:
        yield ""
    if stage.build is not None and isinstance(stage.build.context, CodeSnapshot):
        yield _joined(stage.build.context.folder, stage.build.folder)
    for mount in stage.mounts:
        match mount.source:
            case CodeSnapshot(folder):
                yield folder
            case HostPath(path) if _is_ours(path):
                yield _below_root(path)
            case _:
                pass


def _is_ours(path: str) -> bool:
    return path == "." or path.startswith("./")


def _below_root(path: str) -> str:
    return _joined("", path)


def _joined(*parts: str) -> str:
    return "/".join(piece for part in parts for piece in part.split("/") if piece not in {"", "."})
