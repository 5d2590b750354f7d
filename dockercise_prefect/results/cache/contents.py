"""What stages with `cache` have left, each content once, under its digest."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from hashlib import sha256
from tempfile import TemporaryFile
from typing import TypeAlias

from zstandard import ZstdCompressor

from dockercise_prefect.archives.content_digest import content_digested, digest_text
from dockercise_prefect.archives.tarball import below, members, packed, renamed
from dockercise_prefect.errors import DamagedError
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.cache.paths import CONTENTS, content_path, digest_of
from dockercise_prefect.results.places.objects import Objects
from dockercise_prefect.results.record.compression import LEVEL, decompressed

_ROOT = "volume"
"""The folder that all paths of a volume begin with here, whatever stage it is of."""

_Member: TypeAlias = tuple[tarfile.TarInfo, Iterable[bytes]]


class DamagedContentError(DamagedError):
    """A content does not match its digest. It has been thrown away."""

    def __init__(self, digest: str, where: str) -> None:
        super().__init__(
            f"{where} did not match its digest {digest}, so it was removed", "the stage that made it has to run again"
        )


class Contents:
    """The contents in one place. Thread-safe.

    Args:
        objects: the place of the results.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def sizes(self) -> dict[str, int]:
        """The bytes of all contents in the place, compressed, by their digests.

        Raises:
            StorageError: the place cannot be read.
        """
        found = {digest_of(f"{CONTENTS}/{path}"): size for path, size in self._objects.sizes(CONTENTS).items()}
        return {digest: size for digest, size in found.items() if digest is not None}

    def keep_output(self, digest: str, chunks: Iterable[bytes]) -> None:
        """Store what a stage has printed. `digest` is that of the bytes, `sha256:…`.

        Raises:
            StorageError: it cannot be stored. Exceptions of `chunks` are passed on. Nothing is left then.
        """
        compressor = ZstdCompressor(level=LEVEL, write_checksum=True)
        with TemporaryFile() as file:
            with compressor.stream_writer(file, closefd=False) as compressed:
                for chunk in chunks:
                    compressed.write(chunk)
            file.seek(0)
            self._objects.put(content_path(digest), file)

    def keep_volume(self, digest: str, stage: StageName, files: Iterable[bytes]) -> None:
        """Store the volume of a stage.

        Args:
            digest: of its content (docs/digests.md).
            stage: the stage.
            files: a tar stream whose paths begin with the name of the stage.

        Raises:
            StorageError: it cannot be stored. Exceptions of `files` are passed on. Nothing is left then.
        """
        self.keep_output(digest, packed(_moved(members(files), stage, _ROOT)))

    def output(self, digest: str) -> Iterator[bytes]:
        """What a stage has printed. Use it only when all of it has come: it is checked at the end.

        Raises:
            NotStoredError: the content is not stored, or not any more.
            DamagedContentError: it does not match its digest.
        """
        whole = sha256()
        for chunk in self._chunks(digest):
            whole.update(chunk)
            yield chunk
        if digest_text(whole.digest()) != digest:
            raise self._thrown_away(digest)

    def volume(self, digest: str, stage: StageName) -> Iterator[bytes]:
        """A volume as a tar stream whose paths begin with the name of the stage. It is checked at the end.

        Raises:
            NotStoredError: the content is not stored, or not any more.
            DamagedContentError: it does not match its digest.
        """
        found: list[str] = []
        try:
            yield from content_digested(packed(_moved(members(self._chunks(digest)), _ROOT, stage)), stage, found.append)
        except tarfile.TarError as error:
            raise self._thrown_away(digest) from error
        if found != [digest]:
            raise self._thrown_away(digest)

    def remove(self, digest: str) -> None:
        """Remove a content, if it is there.

        Raises:
            StorageError: it cannot be removed.
        """
        self._objects.remove(content_path(digest))

    def _chunks(self, digest: str) -> Iterator[bytes]:
        try:
            yield from decompressed(self._objects.chunks(content_path(digest)))
        except ValueError as error:
            raise self._thrown_away(digest) from error

    def _thrown_away(self, digest: str) -> DamagedContentError:
        self.remove(digest)
        return DamagedContentError(digest, self._objects.link(content_path(digest)))


def _moved(found: Iterable[_Member], old: str, new: str) -> Iterator[_Member]:
    """The members, with another first folder in all paths."""
    for member, content in found:
        link = _below(member.linkname, old, new) if member.islnk() else None
        yield renamed(member, _below(member.name, old, new), link), content


def _below(path: str, old: str, new: str) -> str:
    rest = below(path, old).decode("utf-8", "surrogateescape")
    return f"{new}/{rest}" if rest else new
