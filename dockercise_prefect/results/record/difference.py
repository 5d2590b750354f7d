"""Leaves out of a volume's archive the files that another stage's archive already has (docs/adr/0026)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from tarfile import TarError, TarInfo
from tempfile import TemporaryFile
from typing import TypeAlias

from zstandard import ZstdCompressor, ZstdDecompressor

from dockercise_prefect.archives.path_map import PathMap
from dockercise_prefect.archives.tarball import CHUNK, below, members, packed
from dockercise_prefect.errors import StorageError
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.places.files import storing

Member: TypeAlias = tuple[TarInfo, Iterable[bytes]]

BASE = ".base"
"""The suffix of the first member of an archive with a base. Its content is the name of the base's stage."""

REMOVED = ".removed"
"""The suffix of the last member of such an archive. Its content is the paths that only the base has."""

IN_MEMORY = 1_048_576
"""The maximum number of bytes of a file in memory, until it is known whether the base has the same file."""

_NAMES = {"path", "linkpath"}
"""Headers that repeat a member's name or target."""


@dataclass(frozen=True, slots=True)
class Base:
    """An archive whose files are left out of another archive.

    Attributes:
        stage: the stage of the archive.
        manifest: the paths in its volume, each with a digest of its metadata and its content.
    """

    stage: StageName
    manifest: PathMap


def archived(files: Iterable[bytes], stage: StageName, base: Base | None, manifest: PathMap, scratch: Path) -> Iterator[bytes]:
    """The archive of a volume, relative to its base if it has one.

    Args:
        files: the volume as a tar stream. Its exceptions are passed on.
        stage: the name that its paths begin with.
        base: the archive that this one is relative to; None if there is no base.
        manifest: all paths of the volume are added to it.
        scratch: a folder for large files, which are there until it is known whether they are left out.

    Raises:
        StorageError: the stream is not an archive of the stage's volume, or the disk is too full.
    """
    try:
        if base is None:
            yield from _noted(files, stage, manifest)
        else:
            yield from packed(_difference(members(files), stage, base, manifest, scratch))
    except TarError as error:
        raise StorageError(f"the engine sent a broken archive ({error})") from error


def _noted(files: Iterable[bytes], stage: StageName, manifest: PathMap) -> Iterator[bytes]:
    """The stream, unchanged. All its members are added to the manifest."""
    read: list[bytes] = []

    def reading() -> Iterator[bytes]:
        for chunk in files:
            read.append(chunk)
            yield chunk

    def taken() -> list[bytes]:
        chunks = read[:]
        read.clear()
        return chunks

    for member, content in members(reading()):
        digest = sha256()
        for piece in content:
            digest.update(piece)
            yield from taken()
        manifest[below(member.name, stage)] = _said_of(member) + digest.digest()
        yield from taken()
    yield from taken()


def _difference(entries: Iterable[Member], stage: StageName, base: Base, manifest: PathMap, scratch: Path) -> Iterator[Member]:
    """The members that change the base's volume into this volume.

    They are the base's name, all folders, all hard links, everything else that differs from the base, and the paths that only
    the base has. Hard links are always included. Without them, unpacking by hand over the base would keep the files that the
    links pointed to before.
    """
    name = base.stage.encode("utf-8", "surrogateescape")
    yield _of_ours(f"{stage}{BASE}", len(name)), [name]
    for member, content in entries:
        path, said, digest = below(member.name, stage), _said_of(member), sha256()
        read = _digested(content, digest.update)
        known = base.manifest.get(path)
        if member.isdir() or member.islnk() or known is None or not known.startswith(said):
            yield member, read
        else:
            with _held(read, member.size, scratch) as again:
                if known != said + digest.digest():
                    yield member, again
        manifest[path] = said + digest.digest()
    size = sum(len(path) + 1 for path in _gone(base.manifest, manifest))
    yield _of_ours(f"{stage}{REMOVED}", size), (path + b"\0" for path in _gone(base.manifest, manifest))


def _said_of(member: TarInfo) -> bytes:
    """A digest of the metadata of a member, without its name and a hard link's target, which begin with the stage's name."""
    headers = sorted((key, text) for key, text in member.pax_headers.items() if key not in _NAMES)
    owner = (member.uid, member.gid, member.uname, member.gname)
    device = (member.devmajor, member.devminor)
    target = member.linkname if member.issym() else ""
    said = (member.type, member.mode, owner, member.size, member.mtime, target, device, headers)
    return sha256(repr(said).encode()).digest()


def _gone(base: PathMap, volume: PathMap) -> Iterator[bytes]:
    return (path for path in base if path not in volume)


def _of_ours(name: str, size: int) -> TarInfo:
    member = TarInfo(name)
    member.size = size
    return member


def _digested(content: Iterable[bytes], update: Callable[[bytes], None]) -> Iterator[bytes]:
    for chunk in content:
        update(chunk)
        yield chunk


@contextmanager
def _held(content: Iterable[bytes], size: int, scratch: Path) -> Iterator[Iterable[bytes]]:
    """Read the content to its end, so that it can be read again inside.

    Large content is stored compressed in a nameless file. There, a terabyte of zeros takes very little space.
    """
    if size <= IN_MEMORY:
        yield list(content)
        return
    with storing(scratch), TemporaryFile(dir=scratch) as file:
        with ZstdCompressor(level=1).stream_writer(file, closefd=False) as compressed:
            for chunk in content:
                compressed.write(chunk)
        file.seek(0)
        yield iter(partial(ZstdDecompressor().stream_reader(file).read, CHUNK), b"")
