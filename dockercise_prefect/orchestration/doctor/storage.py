"""Checks of where things are written: the place of results, the data folder, and records that wait for a bucket."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from dockercise_prefect.errors import StorageError
from dockercise_prefect.orchestration.doctor.amounts import BYTES_OF, shown_size
from dockercise_prefect.orchestration.doctor.check import Check, CheckStatus
from dockercise_prefect.quantities import shown_bytes
from dockercise_prefect.results.cache.contents import Contents
from dockercise_prefect.results.opening import open_objects, prove_usable
from dockercise_prefect.results.places.place import parse_place
from dockercise_prefect.results.record.unsent import unsent_runs
from dockercise_prefect.runtime.disk_room import Room, room_at
from dockercise_prefect.settings import Settings

LITTLE_ROOM: Final = 2 * BYTES_OF["GB"]
NO_ROOM: Final = BYTES_OF["GB"] // 5

_TRIED_BYTES: Final = 4096


class StorageProbes:
    """The probes of where things are written.

    Args:
        settings: the settings of this process.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def results(self) -> Iterator[Check]:
        """The place of results: whether it can be read and written."""
        place = parse_place(self._settings.results)
        if isinstance(place, Path):
            yield folder_check("results", place, problem_with(place), room_at(place))
        else:
            prove_usable(place, self._settings)
            yield Check("results", CheckStatus.OK, f"{place.url}, can be read and written", facts={"place": place.url})

    def cache(self) -> Iterator[Check]:
        """What stages with `cache` have left in the place of results."""
        sizes = Contents(open_objects(self._settings.results, self._settings)).sizes()
        yield cache_check(sum(sizes.values()), self._settings.cache_size)

    def data(self) -> Iterator[Check]:
        """The data folder: the local server, mirrors of repositories, records that wait."""
        folder = self._settings.data
        yield folder_check("data folder", folder, problem_with(folder), room_at(folder))

    def unsent(self) -> Iterator[Check]:
        """Records that did not reach their bucket."""
        try:
            yield unsent_check(len(unsent_runs(self._settings.data)))
        except StorageError as error:
            yield Check("unsent records", CheckStatus.UNKNOWN, error.message, error.hint)


def folder_check(name: str, folder: Path, problem: str | None, room: Room | None) -> Check:
    """Whether a folder can be written, and how much room its disk has.

    Args:
        name: of the check.
        folder: the folder; it need not exist.
        problem: why it cannot be written; None if it can.
        room: of its disk.
    """
    facts: dict[str, str | int | None] = {
        "folder": str(folder),
        "free_bytes": None if room is None else room.free,
        "size_bytes": None if room is None else room.size,
    }
    if problem is not None:
        hint: str | None = (
            f"make it writable, or set another folder: {'DOCKERCISE_RESULTS' if name == 'results' else 'DOCKERCISE_DATA'}"
        )
        return Check(name, CheckStatus.PROBLEM, f"{folder} cannot be written: {problem}", hint, facts)
    if room is None:
        return Check(name, CheckStatus.UNKNOWN, f"{folder}; the room on its disk cannot be seen", facts=facts)
    status = CheckStatus.PROBLEM if room.free < NO_ROOM else CheckStatus.WARNING if room.free < LITTLE_ROOM else CheckStatus.OK
    hint = None if status is CheckStatus.OK else "delete old records, or other files on this disk"
    missing = "" if room.where == str(folder) else " (does not exist yet)"
    return Check(name, status, f"{folder}{missing}, {shown_size(room.free)} of {shown_size(room.size)} free", hint, facts)


def problem_with(folder: Path) -> str | None:
    """Why nothing can be written into a folder; None if it can. Nothing is left there, not even for a moment.

    Writing is tried in a file without a name. If the folder does not exist, it is tried in the folder that it would be made in.
    """
    there = next((each for each in (folder, *folder.parents) if os.path.lexists(each)), folder)
    try:
        descriptor = os.open(there, os.O_TMPFILE | os.O_WRONLY, 0o600)
    except OSError as error:
        if error.errno in {errno.EOPNOTSUPP, errno.EINVAL}:  # the file system has no files without a name
            return None if os.access(there, os.W_OK | os.X_OK) else "no permission"
        return error.strerror or str(error)
    except AttributeError:  # not Linux
        return None if os.access(there, os.W_OK | os.X_OK) else "no permission"
    try:
        os.write(descriptor, bytes(_TRIED_BYTES))
        os.fsync(descriptor)
    except OSError as error:
        return error.strerror or str(error)
    finally:
        with suppress(OSError):
            os.close(descriptor)
    return None


def cache_check(size: int, limit: int) -> Check:
    """How large it is what stages with `cache` have left together.

    Args:
        size: bytes.
        limit: the bytes that it may have (`cache_size`).
    """
    found = f"{shown_size(size)}, at most {shown_bytes(limit)} (cache_size)"
    hint = "`dockercise gc` removes what is cheapest to make again" if size > limit else None
    return Check("cache", CheckStatus.OK, found, hint, {"size_bytes": size, "limit_bytes": limit})


def unsent_check(waiting: int) -> Check:
    """Whether records wait for their bucket."""
    if not waiting:
        return Check("unsent records", CheckStatus.OK, "none", facts={"waiting": 0})
    found = f"{waiting} record{' waits' if waiting == 1 else 's wait'} for a bucket, or the run still goes on"
    hint = "`dockercise results push` sends those of runs that have ended"
    return Check("unsent records", CheckStatus.WARNING, found, hint, {"waiting": waiting})
