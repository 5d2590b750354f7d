"""Reads the files that a stage left in its own volume."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import chain
from typing import TypeAlias

from dockercise_prefect.archives.tarball import members
from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.engine import Engine

KeepVolume: TypeAlias = Callable[[Iterator[bytes] | None], None]
"""Takes a tar stream whose paths begin with the stage's name, None where the volume is empty or not to be kept; must not raise.
What the stream raises, an `EngineError`, says that the volume could not be read to its end."""

HEAD = 65_536
"""Bytes; an empty volume has less, whatever its only entry says."""


@contextmanager
def files_of(engine: Engine, container: str, stage: str, check: Callable[[], None]) -> Iterator[Iterator[bytes] | None]:
    """The files in the volume of a stage, by way of its container, which has ended; None where there are none.

    The engine is read from no more when the context ends: it does not remove a container that somebody reads from.

    Args:
        engine: where the container is.
        stage: its name.
        check: called while files are read; raises when that is to end.
    """
    try:
        archive = engine.get(container, f"/{stage}")
    except EngineError as error:
        yield _failing(error)
        return
    with closing(archive):
        yield _files(_checked(archive, check), stage)


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
    """Whether there is more than the volume's own root."""
    return any(count > 1 for count, _ in enumerate(members(head), start=1))


def _checked(stream: Iterable[bytes], check: Callable[[], None]) -> Iterator[bytes]:
    for chunk in stream:
        check()
        yield chunk


def _failing(error: EngineError) -> Iterator[bytes]:
    raise error
    yield
