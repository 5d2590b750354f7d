"""Restores a volume from its archive and the archives that it is relative to (docs/adr/0026)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import chain
from tarfile import PAX_FORMAT, ReadError
from tempfile import TemporaryFile
from typing import BinaryIO

from dockercise_prefect.archives.path_map import PathMap
from dockercise_prefect.archives.tarball import BLOCK, CHUNK, below, members, renamed
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.places.objects import NotStoredError
from dockercise_prefect.results.record.difference import BASE, REMOVED, Member

LONGEST_NAME = 255
"""The maximum number of bytes of a stage's name, because it is also a file name."""

LONGEST_PATH = 1_048_576
"""The maximum number of bytes of a path. The archive of an engine can contain longer paths than its kernel opens."""

Archive = Callable[[StageName], Iterator[Member]]
"""Returns the members of a stage's archive. If it is not stored, this is raised before the first member."""


class BrokenArchiveError(ValueError):
    """The archive of `stage` cannot be used, because it is hostile, damaged or missing."""

    def __init__(self, stage: StageName, why: str) -> None:
        super().__init__(why)
        self.stage = stage


def composed(stage: StageName, archive: Archive) -> Iterator[Member]:
    """All members of a stage's volume, in bounded memory. If its archive has a base, hard links come last.

    The archives are read in order: the stage's own archive, then that of its base, and so on. The first archive that has a
    path decides. A path that an archive lists as removed is ignored in all later archives. The stage's own archive has all
    folders and hard links.

    Args:
        stage: the stage of the volume; the paths of all members begin with its name.
        archive: opens the archive of a stage.

    Raises:
        NotStoredError: the stage has no archive.
        BrokenArchiveError: a base is missing, is not a stage or depends on this one, or a path leads out of its folder.
        StorageError: the disk is too full to store the paths.
    """
    base, entries = _opened(stage, archive)
    if base is None:
        yield from entries
        return
    with closing(PathMap()) as covered, TemporaryFile() as links:
        for member, content in _uncovered(entries, stage, covered):
            if member.islnk():
                links.write(member.tobuf(PAX_FORMAT, "utf-8", "surrogateescape"))
            else:
                yield member, content
        layers = [stage]
        while base is not None:
            if base in layers:
                raise BrokenArchiveError(layers[-1], f"its base {base!r} depends on it")
            layers.append(base)
            base, entries = _base_opened(layers[-1], archive, stage)
            for member, content in _uncovered(entries, layers[-1], covered):
                if not (member.isdir() or member.islnk()):
                    path = below(member.name, layers[-1]).decode("utf-8", "surrogateescape")
                    yield renamed(member, f"{stage}/{path}"), content
        yield from _again(links)


def base_of(stage: StageName, entries: Iterator[Member]) -> tuple[StageName | None, Iterator[Member]]:
    """The stage whose archive this one is relative to (None if it is complete), and the members that belong to the volume."""
    first = next(entries, None)
    if first is None:
        return None, entries
    member, content = first
    if member.name != f"{stage}{BASE}" or not member.isreg():
        return None, chain([first], entries)
    if not 0 < member.size <= LONGEST_NAME:
        raise BrokenArchiveError(stage, "the name of its base is empty or too long")
    base = b"".join(content).decode("utf-8", "surrogateescape")
    if "/" in base or "\0" in base:
        raise BrokenArchiveError(stage, f"its base {base!r} is not a stage")
    return base, entries


def _opened(stage: StageName, archive: Archive) -> tuple[StageName | None, Iterator[Member]]:
    return base_of(stage, archive(stage))


def _base_opened(base: StageName, archive: Archive, stage: StageName) -> tuple[StageName | None, Iterator[Member]]:
    try:
        return _opened(base, archive)
    except NotStoredError as error:
        raise BrokenArchiveError(base, f"it is missing, and the volume of {stage} is stored relative to it") from error


def _uncovered(entries: Iterable[Member], stage: StageName, covered: PathMap) -> Iterator[Member]:
    """The members whose paths no earlier archive has or removes. Their paths are added to `covered`."""
    for member, content in entries:
        if member.name == f"{stage}{REMOVED}" and member.isreg():
            for path in _paths(content, stage):
                covered[path] = b""
            continue
        try:
            path = below(member.name, stage)
        except ReadError as error:
            raise BrokenArchiveError(stage, str(error)) from error
        if path not in covered:
            covered[path] = b""
            yield member, content


def _paths(content: Iterable[bytes], stage: StageName) -> Iterator[bytes]:
    """Paths that each end with a NUL."""
    rest = b""
    for chunk in content:
        *paths, rest = (rest + chunk).split(b"\0")
        if len(rest) > LONGEST_PATH:
            raise BrokenArchiveError(stage, f"a path in `{stage}{REMOVED}` is longer than {LONGEST_PATH:,} bytes")
        yield from paths


def _again(links: BinaryIO) -> Iterator[Member]:
    links.write(bytes(2 * BLOCK))
    links.seek(0)
    yield from members(iter(partial(links.read, CHUNK), b""))
