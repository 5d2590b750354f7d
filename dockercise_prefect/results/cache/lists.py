"""The lists of files that digests of the code and of volumes are of. They only serve to say which file has changed."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from functools import cached_property
from hashlib import sha256
from io import BytesIO

from zstandard import ZstdCompressor

from dockercise_prefect.archives.content_digest import digest_text
from dockercise_prefect.errors import StorageError
from dockercise_prefect.results.cache.paths import LISTS, list_of, list_path
from dockercise_prefect.results.places.objects import Objects
from dockercise_prefect.results.record.compression import LEVEL, decompressed

MOST = 16 * 1024 * 1024
"""Bytes. A longer list, which is one of more than 100,000 files, is neither kept nor read."""


class PackedList:
    """A list of files that is compressed as it comes. Used by one thread at a time."""

    def __init__(self) -> None:
        self._compressor = ZstdCompressor(level=LEVEL, write_checksum=True).compressobj()
        self._parts: list[bytes] = []
        self._digest = sha256()
        self._size = 0

    def write(self, entry: bytes) -> None:
        """Append an entry."""
        self._size += len(entry)
        if self._size > MOST:
            self._parts.clear()
            return
        self._digest.update(entry)
        self._parts.append(self._compressor.compress(entry))

    def close(self) -> tuple[str, bytes] | None:
        """The digest of the list and the list, compressed; None if it is too long. Call nothing else afterwards."""
        if self._size > MOST:
            return None
        return digest_text(self._digest.digest()), b"".join([*self._parts, self._compressor.flush()])


class Lists:
    """The lists in one place, each once, under its digest. Thread-safe.

    Args:
        objects: the place of the results.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    @cached_property
    def there(self) -> Collection[str]:
        """The digests of the lists in the place, when this was first asked.

        Raises:
            StorageError: the place cannot be read.
        """
        return {digest for path in self._objects.sizes(LISTS) if (digest := list_of(f"{LISTS}/{path}")) is not None}

    def keep(self, digest: str, packed: bytes) -> None:
        """Store a list, compressed.

        Raises:
            StorageError: it cannot be stored.
        """
        self._objects.put(list_path(digest), BytesIO(packed))

    def read(self, digest: str) -> bytes | None:
        """The list; None if it is not there, is damaged, or cannot be read."""
        with suppress(StorageError, ValueError):
            return unpacked_list(digest, b"".join(self._objects.chunks(list_path(digest))))
        return None


def packed_list(data: bytes) -> bytes | None:
    """A list, compressed; None if it is too long."""
    return None if len(data) > MOST else ZstdCompressor(level=LEVEL, write_checksum=True).compress(data)


def unpacked_list(digest: str, packed: bytes) -> bytes | None:
    """The list with this digest; None if it is too long, or not that list.

    Raises:
        ValueError: the data is damaged.
    """
    parts: list[bytes] = []
    size = 0
    for part in decompressed([packed]):
        size += len(part)
        if size > MOST:
            return None
        parts.append(part)
    data = b"".join(parts)
    return data if digest_text(sha256(data).digest()) == digest else None
