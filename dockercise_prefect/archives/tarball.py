"""Turns files into a tar stream, in bounded memory. In this form, files pass through an engine's API."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from dockercise_prefect.errors import EngineError

BLOCK = tarfile.BLOCKSIZE
CHUNK = 65_536
"""Bytes that are passed on at once, so that many small files do not become many small packets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder. A folder with the name of a volume sets the mode and the owner of the volume's own root."""

    path: str
    mode: int = 0o755
    mtime: float = 0
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file. Its content is read when the stream reaches it.

    Attributes:
        size: bytes. The content must have exactly this size.
    """

    path: str
    size: int
    content: Callable[[], Iterable[bytes]]
    mode: int = 0o644
    mtime: float = 0
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A symbolic link."""

    path: str
    target: str
    mtime: float = 0
    uid: int = 0
    gid: int = 0


Entry = Folder | File | Link


def tar_stream(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The entries as a tar stream, in GNU's format: names of any length and any bytes.

    Raises:
        EngineError: a content does not have the given size, since its file changed meanwhile.
    """
    return _batched(_pieces(entries))


def _pieces(entries: Iterable[Entry]) -> Iterator[bytes]:
    for entry in entries:
        yield _header(entry)
        if isinstance(entry, File):
            sent = 0
            for chunk in entry.content():
                sent += len(chunk)
                yield chunk
            if sent != entry.size:
                raise EngineError(f"{entry.path} changed while it was copied", "run again when no program is writing to it")
            yield b"\0" * (-sent % BLOCK)
    yield b"\0" * (2 * BLOCK)


def _header(entry: Entry) -> bytes:
    info = tarfile.TarInfo(entry.path)
    info.mtime = int(entry.mtime)
    info.uid, info.gid = entry.uid, entry.gid
    match entry:
        case Folder():
            info.type, info.mode = tarfile.DIRTYPE, entry.mode
        case File():
            info.size, info.mode = entry.size, entry.mode
        case Link():
            info.type, info.mode, info.linkname = tarfile.SYMTYPE, 0o777, entry.target
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _batched(pieces: Iterator[bytes]) -> Iterator[bytes]:
    batch = bytearray()
    for piece in pieces:
        batch += piece
        if len(batch) >= CHUNK:
            yield bytes(batch)
            batch.clear()
    if batch:
        yield bytes(batch)


def members(stream: Iterable[bytes]) -> Iterator[tuple[tarfile.TarInfo, Iterator[bytes]]]:
    """The members of a tar stream with their contents, in bounded memory. Read a content before you ask for the next member.

    Raises:
        tarfile.TarError: the stream is not an archive, or the archive is incomplete.
    """
    reader = _Reader(stream)
    with tarfile.open(fileobj=reader, mode="r|", encoding="utf-8", errors="surrogateescape") as source:
        while (member := source.next()) is not None:
            source.members = []  # type: ignore[attr-defined]  # tarfile keeps all members that it has read
            yield member, _content(source, member)
        # tarfile treats a header that it cannot read, and the end of the stream, as the end of the archive.
        if not reader.only_zeros_from(source.offset):
            raise tarfile.ReadError("the archive is truncated or damaged")


def packed(entries: Iterable[tuple[tarfile.TarInfo, Iterable[bytes]]]) -> Iterator[bytes]:
    """Members with their contents as a tar stream."""
    return _batched(_packed(entries))


def _packed(entries: Iterable[tuple[tarfile.TarInfo, Iterable[bytes]]]) -> Iterator[bytes]:
    for member, content in entries:
        yield member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        yield from content
        if member.isreg():
            yield b"\0" * (-member.size % BLOCK)
    yield b"\0" * (2 * BLOCK)


def below(name: str, root: str) -> bytes:
    """The path of a member below the root that all paths of its archive begin with; empty for the root itself.

    If there is no such root, `root` is empty, and the path is the member's name.

    Raises:
        tarfile.ReadError: the name begins with another root.
    """
    whole = name.encode("utf-8", "surrogateescape")
    if root == "":
        return whole
    first, _, path = whole.partition(b"/")
    if first != root.encode("utf-8", "surrogateescape"):
        raise tarfile.ReadError(f"{name!r} is outside the folder")
    return path


def renamed(member: tarfile.TarInfo, path: str, link: str | None = None) -> tarfile.TarInfo:
    """The member with another path and, if `link` is given, with another link target."""
    member.name, member.linkname = path, member.linkname if link is None else link
    # A long name in the archive's extended headers takes precedence over the name itself.
    outdated = {"path"} if link is None else {"path", "linkpath"}
    member.pax_headers = {key: text for key, text in member.pax_headers.items() if key not in outdated}
    return member


def rerooted(stream: Iterable[bytes], root: str) -> Iterator[bytes]:
    """The same tar stream with another root: the first part of every path, and of every target of a hard link."""
    return packed((_rerooted(member, root), content) for member, content in members(stream))


def _rerooted(member: tarfile.TarInfo, root: str) -> tarfile.TarInfo:
    path, link = ("/".join([root, *name.split("/")[1:]]) for name in (member.name, member.linkname))
    return renamed(member, path, link if member.islnk() else None)


def owned_by(stream: Iterable[bytes], uid: int, gid: int) -> Iterator[bytes]:
    """The same tar stream with every entry owned by `uid` and `gid`; everything else is kept."""
    return packed((_owned(member, uid, gid), content) for member, content in members(stream))


def _owned(member: tarfile.TarInfo, uid: int, gid: int) -> tarfile.TarInfo:
    member.uid, member.gid, member.uname, member.gname = uid, gid, "", ""
    member.pax_headers = {key: text for key, text in member.pax_headers.items() if key not in _OWNER_HEADERS}
    return member


def _content(source: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    content = source.extractfile(member) if member.isreg() else None
    if content is not None:
        while chunk := content.read(CHUNK):
            yield chunk


_OWNER_HEADERS = {"uid", "gid", "uname", "gname"}


class _Reader(io.RawIOBase):
    """An iterable of chunks as a file that is read from front to end."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._chunk = memoryview(b"")
        self._size = 0
        self._zeros_from = 0

    def read(self, size: int = -1) -> bytes:
        taken = bytearray()
        while size < 0 or len(taken) < size:
            if not self._chunk:
                chunk = self._next()
                if chunk is None:
                    break
                self._chunk = memoryview(chunk)
            part = self._chunk if size < 0 else self._chunk[: size - len(taken)]
            taken += part
            self._chunk = self._chunk[len(part) :]
        return bytes(taken)

    def only_zeros_from(self, offset: int) -> bool:
        """Whether the stream has more data after the offset, and only zeros, as at the end of archives. Reads the rest."""
        while self._next() is not None:
            continue
        return self._zeros_from <= offset < self._size

    def _next(self) -> bytes | None:
        chunk = next(self._chunks, None)
        if chunk is not None:
            if data := chunk.rstrip(b"\0"):
                self._zeros_from = self._size + len(data)
            self._size += len(chunk)
        return chunk
