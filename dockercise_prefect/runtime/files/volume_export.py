"""Reads the files that a stage left in its own volume."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import chain
from typing import TypeAlias

from dockercise_prefect.archives.tarball import members, rerooted
from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import Stage
from dockercise_prefect.runtime.engine import Engine

KeepVolume: TypeAlias = Callable[[Iterator[bytes] | None], None]
"""Called with a tar stream whose paths begin with the stage's name; with None if the volume is like a new one or is not kept.

It must not raise. If the stream raises an `EngineError`, the volume could not be read to its end.
"""

NEW_ROOT = (0o755, 0, 0)
"""The mode and the owner of the root of a new volume, on every engine."""

HEAD = 65_536
"""Bytes. The archive of an empty volume, which has only one entry, is always shorter."""


@contextmanager
def files_of(engine: Engine, container: str, stage: Stage, check: Callable[[], None]) -> Iterator[Iterator[bytes] | None]:
    """The files in the volume of a stage, read through its container, which has ended; None if the volume is like a new one.

    When the context ends, reading stops, since the engine does not remove a container while its files are read.

    Args:
        engine: where the container is.
        stage: the stage.
        check: called while files are read; raises if reading has to stop.
    """
    try:
        archive = engine.get(container, stage.folder)
    except EngineError as error:
        yield _failing(error)
        return
    with closing(archive):
        stream = _checked(archive, check)
        yield _files(stream if stage.instance is None else rerooted(stream, stage.name), stage.name)


def _files(stream: Iterator[bytes], stage: str) -> Iterator[bytes] | None:
    head: list[bytes] = []
    try:
        for chunk in stream:
            head.append(chunk)
            if sum(map(len, head)) >= HEAD:
                return chain(head, stream)
        return iter(head) if _holds_files(head) else None
    except EngineError as error:
        return _failing(error)
    except tarfile.TarError as error:
        return _failing(EngineError(f"the volume of {stage} came from the engine as a damaged archive: {error}"))


def _holds_files(head: list[bytes]) -> bool:
    """Whether the archive has more than the volume's own root, or a root that a new volume does not have: others can see it."""
    return any(count > 1 or _is_changed(root) for count, (root, _) in enumerate(members(head), start=1))


def _is_changed(root: tarfile.TarInfo) -> bool:
    return (root.mode & 0o7777, root.uid, root.gid) != NEW_ROOT


def _checked(stream: Iterable[bytes], check: Callable[[], None]) -> Iterator[bytes]:
    for chunk in stream:
        check()
        yield chunk


def _failing(error: EngineError) -> Iterator[bytes]:
    raise error
    yield
