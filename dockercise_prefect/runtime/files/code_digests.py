"""The digests of the files of the code, one by one, so that any part of it can be compared with that of an earlier run."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from hashlib import sha256

from dockercise_prefect.archives.content_digest import digest_text
from dockercise_prefect.archives.tarball import Entry, File, Folder, Link
from dockercise_prefect.errors import EngineError


class CodeDigests:
    """The digests of the files of the code.

    A file is digested when somebody reads it from `entries`, so a digest is of the bytes that stages see. Only a file that
    nobody has read is read for its digest. Times do not count.

    A file that is read again must be the same, or whoever reads it gets an `EngineError`.

    Args:
        entries: the files and folders of the code.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._contents: dict[str, str] = {}
        self.entries: Sequence[Entry] = [self._watched(entry) for entry in entries]

    def of_files(self, chosen: Callable[[str], bool]) -> dict[str, str]:
        """The digest of each file and link whose path is chosen: its kind, its mode, and its bytes or its target.

        Raises:
            EngineError, OSError: a file cannot be read.
        """
        return {
            entry.path: self._digest(entry) for entry in self.entries if not isinstance(entry, Folder) and chosen(entry.path)
        }

    def of_folder(self, folder: str) -> str:
        """The digest of a folder of the code with everything in it; an empty text is all of the code.

        Raises:
            EngineError, OSError: a file cannot be read.
        """
        return digest_text(sha256(self.listing(folder)).digest())

    def listing(self, folder: str) -> bytes:
        """The list that the digest of a folder is of: its files and folders, each with a text for everything that counts of it.

        Each is a line of JSON, so that whoever reads a long list is not blocked while all of it is parsed.
        `reuse.file_list.list_of_code` reads it.

        Raises:
            EngineError, OSError: a file cannot be read.
        """
        entries = self._by_folder.get(folder, ()) if folder else self.entries
        return "".join(f"{json.dumps([entry.path, self._described(entry)])}\n" for entry in entries).encode()

    @cached_property
    def _by_folder(self) -> Mapping[str, Sequence[Entry]]:
        """Everything that is below each folder. Thousands of stages can have a folder each."""
        found: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.entries:
            folder, slash, _ = entry.path.rpartition("/")
            while slash:
                found[folder].append(entry)
                folder, slash, _ = folder.rpartition("/")
        return found

    def _described(self, entry: Entry) -> str:
        return f"d {entry.mode:o}" if isinstance(entry, Folder) else self._digest(entry)

    def _digest(self, entry: File | Link) -> str:
        if isinstance(entry, Link):
            return digest_text(sha256(f"l {entry.target}".encode("utf-8", "surrogateescape")).digest())
        if entry.path not in self._contents:
            for _ in entry.content():
                pass
        return digest_text(sha256(f"f {entry.mode:o} {self._contents[entry.path]}".encode()).digest())

    def _watched(self, entry: Entry) -> Entry:
        return replace(entry, content=partial(self._read, entry.path, entry.content)) if isinstance(entry, File) else entry

    def _read(self, path: str, content: Callable[[], Iterable[bytes]]) -> Iterator[bytes]:
        digest = sha256()
        for chunk in content():
            digest.update(chunk)
            yield chunk
        if self._contents.setdefault(path, digest.hexdigest()) != digest.hexdigest():
            raise EngineError(f"{path} changed during the run", "run again when no program is writing to it")
