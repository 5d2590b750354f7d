"""Files in memory, as in a volume or a container's own file system; they are read from tar streams and packed into them."""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["file", "folder", "link"]

_TYPES: dict[Kind, bytes] = {"file": tarfile.REGTYPE, "folder": tarfile.DIRTYPE, "link": tarfile.SYMTYPE}


class BadTarError(Exception):
    """The data is not a tar stream, or an entry leads out of the folder."""


@dataclass(slots=True, eq=False)
class Entry:
    """One file, folder or symbolic link; the same object at two paths is a hard link.

    Attributes:
        data: the content of a file. target: of a symbolic link.
    """

    kind: Kind
    mode: int
    uid: int = 0
    gid: int = 0
    data: bytes = b""
    target: str = ""
    mtime: int = 0


class Tree:
    """A file system: paths relative to its root, the root itself under the empty path."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {"": Entry("folder", 0o755)}

    def copy(self) -> Tree:
        """The same files in another tree; the content of a file is never changed in place."""
        copied = Tree()
        copied.entries = dict(self.entries)
        return copied

    def write(self, path: str, entry: Entry) -> None:
        """Put one entry, and make missing folders above it. An existing folder keeps its files."""
        for parent in _parents(path):
            if self.entries.get(parent) is None:
                self.entries[parent] = Entry("folder", 0o755)
        if entry.kind != "folder":
            self._drop_below(path)
        self.entries[path] = entry

    def below(self, path: str) -> Iterator[tuple[str, Entry]]:
        """Every entry at and below `path`, sorted, with its path relative to the root."""
        start = f"{path}/" if path else ""
        for name in sorted(self.entries):
            if name == path or name.startswith(start):
                yield name, self.entries[name]

    def _drop_below(self, path: str) -> None:
        for name in [name for name in self.entries if name.startswith(f"{path}/")]:
            del self.entries[name]


def unpack(chunks: Iterable[bytes], known: Callable[[str], Entry | None] = lambda _: None) -> Iterator[tuple[str, Entry]]:
    """The entries of a tar stream, in order; an entry `.` is left out, as the Docker engine does.

    Args:
        chunks: the stream.
        known: what is where the stream is unpacked. A hard link may be a new name of it.

    Raises:
        BadTarError: the stream is not a tar, or an entry leads out of the folder.
    """
    seen: dict[str, Entry] = {}
    try:
        with tarfile.open(fileobj=_Reader(chunks), mode="r|") as archive:
            for member in archive:
                path = posixpath.normpath(member.name).lstrip("/")
                if path == ".." or path.startswith("../"):
                    raise BadTarError(f"{member.name} leads out of the folder")
                if path == ".":
                    continue
                seen[path] = _entry(archive, member, seen, known)
                yield path, seen[path]
    except tarfile.TarError as error:
        raise BadTarError(f"not a tar stream: {error}") from error


def pack(entries: Iterable[tuple[str, Entry]]) -> bytes:
    """A tar of the entries; the second path of one entry becomes a hard link to the first."""
    buffer = io.BytesIO()
    first: dict[int, str] = {}
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, entry in entries:
            member = tarfile.TarInfo(name)
            member.mode, member.uid, member.gid, member.mtime = entry.mode, entry.uid, entry.gid, entry.mtime
            member.type, member.linkname = _TYPES[entry.kind], entry.target
            if id(entry) in first:
                member.type, member.linkname = tarfile.LNKTYPE, first[id(entry)]
            first.setdefault(id(entry), name)
            member.size = len(entry.data) if member.type == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(entry.data))
    return buffer.getvalue()


def _entry(
    archive: tarfile.TarFile, member: tarfile.TarInfo, seen: dict[str, Entry], known: Callable[[str], Entry | None]
) -> Entry:
    if member.islnk():
        target = posixpath.normpath(member.linkname).lstrip("/")
        linked = seen.get(target) or known(target)
        if linked is None:
            raise BadTarError(f"{member.name} is a hard link to {member.linkname}, which is not in the stream before it")
        linked.mode, linked.uid, linked.gid = member.mode & 0o7777, member.uid, member.gid  # as the Docker engine does
        return linked
    entry = Entry("file", member.mode & 0o7777, member.uid, member.gid, mtime=int(member.mtime))
    if member.isdir():
        return replace(entry, kind="folder")
    if member.issym():
        return replace(entry, kind="link", target=member.linkname)
    content = archive.extractfile(member)
    return replace(entry, data=content.read() if content else b"")


def _parents(path: str) -> Iterator[str]:
    """The folders above a relative path, outermost first."""
    parts = path.split("/")[:-1]
    for count in range(1, len(parts) + 1):
        yield "/".join(parts[:count])


class _Reader(io.RawIOBase):
    """Chunks as the kind of file that tarfile reads."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest = chunk
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken
