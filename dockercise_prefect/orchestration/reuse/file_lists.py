"""The lists of files that a run knows: those of its own code and volumes, and those that earlier runs have kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from threading import Lock

from dockercise_prefect.archives.content_digest import digest_text
from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.cache.lists import Lists, PackedList, packed_list, unpacked_list
from dockercise_prefect.reuse.file_list import changed_file, list_of_code, list_of_volume
from dockercise_prefect.reuse.ingredients import Ingredients


class RunFileLists:
    """Says which files changed (`reuse.file_list.ChangedFiles`), and keeps the lists for later runs. Thread-safe.

    Args:
        lists: the lists in the place of the results.
        code: returns the list of a folder of the code as it is now.
    """

    def __init__(self, lists: Lists, code: Callable[[str], bytes]) -> None:
        self._lists = lists
        self._code = code
        self._lock = Lock()  # of the lists of volumes
        self._keeping = Lock()  # so that no list is stored twice
        self._comparing = Lock()  # so that no list is fetched twice
        self._begun: dict[StageName, PackedList] = {}
        self._volumes: dict[StageName, tuple[str, bytes] | None] = {}
        self._said: dict[tuple[str, str, str], str | None] = {}
        self._kept: set[str] = set()

    def begin(self, stage: StageName) -> Callable[[bytes], None]:
        """Returns what gets each entry of the list of the stage's volume, while the volume is read for its digest."""
        with self._lock:
            self._begun[stage] = PackedList()
            return self._begun[stage].write

    def keep(self, made_from: Ingredients) -> None:
        """Store the lists of everything that a stage was made from, as far as they are known and not stored yet.

        Raises:
            DockerciseError, OSError: a list cannot be stored.
        """
        with self._keeping:
            for folder, digest in made_from.code.items():
                if self._is_missing(digest):
                    self._store(digest, packed_list(self._code(folder)))
            for stage, digest in made_from.volumes.items():
                if self._is_missing(digest):
                    self._store(digest, self._packed(stage, digest))

    def in_code(self, folder: str, now: str, then: str) -> str | None:
        """See `ChangedFiles`."""
        return self._changed(("", now, then), lambda: self._in_code(folder, now, then))

    def in_volume(self, stage: StageName, now: str, then: str) -> str | None:
        """See `ChangedFiles`."""
        return self._changed((stage, now, then), lambda: self._in_volume(stage, now, then))

    def _changed(self, what: tuple[str, str, str], find: Callable[[], str | None]) -> str | None:
        """Many stages can use the same folder, so the lists are compared once."""
        with self._comparing:
            if what not in self._said:
                self._said[what] = None
                with suppress(DockerciseError, OSError, ValueError):
                    self._said[what] = find()
            return self._said[what]

    def _in_code(self, folder: str, now: str, then: str) -> str | None:
        old = self._lists.read(then)
        if old is None:
            return None
        new = self._code(folder)
        if digest_text(sha256(new).digest()) != now:
            return None
        return changed_file(list_of_code(new), list_of_code(old), "the code")

    def _in_volume(self, stage: StageName, now: str, then: str) -> str | None:
        old = self._lists.read(then)
        if old is None:
            return None
        packed = self._packed(stage, now)
        new = self._lists.read(now) if packed is None else unpacked_list(now, packed)
        if new is None:
            return None
        return changed_file(list_of_volume(new), list_of_volume(old), f"the volume of {stage}")

    def _packed(self, stage: StageName, digest: str) -> bytes | None:
        """The list of a volume that was read in this run; None if this is not its digest. By then, all of it was read."""
        with self._lock:
            if stage in self._begun:
                self._volumes[stage] = self._begun.pop(stage).close()
            known = self._volumes.get(stage)
        return known[1] if known is not None and known[0] == digest else None

    def _is_missing(self, digest: str) -> bool:
        return digest not in self._kept and digest not in self._lists.there

    def _store(self, digest: str, packed: bytes | None) -> None:
        if packed is not None:
            self._lists.keep(digest, packed)
            self._kept.add(digest)
