"""The digest of what a volume holds. It is the same on every engine and machine, and differs if a name, mode or byte differs.

docs/digests.md describes the format, so that other programs can check it.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from hashlib import sha256
from typing import Final

from dockercise_prefect.archives.path_map import PathMap
from dockercise_prefect.archives.tarball import below, members

_HARD_LINK: Final = b"h"
_KINDS: Final = {
    tarfile.DIRTYPE: b"d",
    tarfile.SYMTYPE: b"l",
    tarfile.CHRTYPE: b"c",
    tarfile.BLKTYPE: b"b",
    tarfile.FIFOTYPE: b"p",
}


def digest_text(digest: bytes) -> str:
    """A SHA-256 digest in the usual notation: `sha256:` and 64 hexadecimal digits."""
    return f"sha256:{digest.hex()}"


class ContentDigest:
    """Takes the members of one volume, in any order. Its temporary data is on disk, so it must be closed.

    A file with several names counts as one file. It does not matter which of its names comes first in the archive.

    Raises:
        StorageError: from every method: the disk is too full.
    """

    def __init__(self) -> None:
        self._entries = PathMap()
        self._first_names: PathMap | None = None

    def add(self, member: tarfile.TarInfo, content: bytes, root: str) -> None:
        """Take one member. It replaces an earlier member with the same path.

        Args:
            member: its description in the archive.
            content: the SHA-256 of its bytes, 32 bytes; ignored if it is not a file.
            root: the folder that its path begins with.

        Raises:
            tarfile.ReadError: its path begins with another folder.
        """
        path = _sortable(below(member.name, root))
        if not member.islnk():
            self._entries[path] = _described(member, content)
            return
        file = _sortable(below(member.linkname, root))
        self._entries[path] = _HARD_LINK + file
        if self._first_names is None:
            self._first_names = PathMap()
        self._first_names[file] = min(path, self._first_names.get(file) or file)

    def entries(self) -> Iterator[bytes]:
        """The list of all that was added, entry by entry (docs/digests.md). The digest is that of the whole list.

        Raises:
            tarfile.ReadError: a hard link leads to a path that does not exist.
        """
        return (_path(path) + b"\0" + self._fields(path, entry) for path, entry in self._entries.items())

    def close(self) -> None:
        """Delete what is on disk."""
        self._entries.close()
        if self._first_names is not None:
            self._first_names.close()

    def _fields(self, path: bytes, entry: bytes) -> bytes:
        if self._first_names is None:
            return entry
        file = entry.removeprefix(_HARD_LINK) if entry.startswith(_HARD_LINK) else path
        first = self._first_names.get(file) or file
        if first != path:
            return _joined(_HARD_LINK, b"", b"", b"", _path(first))
        described = self._entries.get(file)
        if described is None or described.startswith(_HARD_LINK):
            raise tarfile.ReadError(f"{_path(path)!r} is a hard link to {_path(file)!r}, which is not a file")
        return described


def content_digested(
    files: Iterable[bytes], root: str, then: Callable[[str], None], listed: Callable[[bytes], object] | None = None
) -> Iterator[bytes]:
    """The same tar stream. At its end, `then` is called with the digest of what the stream holds.

    Args:
        files: a tar stream. Its exceptions are raised here.
        root: the folder that all its paths begin with; empty if there is no such folder, as for the code. Then the root counts
            as that of a new volume: mode 0755, owned by root.
        then: called with the digest, `sha256:…`.
        listed: called before with each entry of the list that the digest is of.

    Raises:
        tarfile.TarError: the stream is not an archive, or not an archive of that folder.
        StorageError: the disk is too full.
    """
    read: list[bytes] = []

    def reading() -> Iterator[bytes]:
        for chunk in files:
            read.append(chunk)
            yield chunk

    def passed_on() -> Iterator[bytes]:
        chunks = read[:]
        read.clear()
        yield from chunks

    with closing(ContentDigest()) as digest:
        if root == "":
            digest.add(_new_root(), b"", root)
        for member, content in members(reading()):
            of_file = sha256()
            for piece in content:
                of_file.update(piece)
                yield from passed_on()
            digest.add(member, of_file.digest(), root)
            yield from passed_on()
        yield from passed_on()
        whole = sha256()
        for entry in digest.entries():
            whole.update(entry)
            if listed is not None:
                listed(entry)
        then(digest_text(whole.digest()))


def _new_root() -> tarfile.TarInfo:
    root = tarfile.TarInfo("")
    root.type, root.mode = tarfile.DIRTYPE, 0o755
    return root


def _described(member: tarfile.TarInfo, content: bytes) -> bytes:
    kind = _KINDS.get(member.type, b"f")
    match kind:
        case b"f":
            what = content.hex().encode()
        case b"l":
            what = member.linkname.encode("utf-8", "surrogateescape")
        case b"c" | b"b":
            what = b"%d,%d" % (member.devmajor, member.devminor)
        case _:
            what = b""
    return _joined(
        kind, b"" if kind == b"l" else b"%04o" % (member.mode & 0o7777), b"%d" % member.uid, b"%d" % member.gid, what
    )


def _joined(kind: bytes, mode: bytes, uid: bytes, gid: bytes, what: bytes) -> bytes:
    return b"".join(field + b"\0" for field in (kind, mode, uid, gid, what))


def _sortable(path: bytes) -> bytes:
    """The path in a form that sorts by its parts, so that a folder is followed by what is in it."""
    return path.replace(b"/", b"\0")


def _path(sortable: bytes) -> bytes:
    return sortable.replace(b"\0", b"/")
