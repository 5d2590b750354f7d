"""Records that are on their way to a bucket: kept in the user's data folder until all of them is there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from dockercise_prefect.errors import StorageError, UsageError
from dockercise_prefect.results.places.files import make_folder, storage_error, storing, write_json

UNSENT = "unsent"
"""The folder below the user's data folder."""

_PLACE = "place.json"
_LOCK = "lock"


class NotWaitingError(UsageError):
    """The record does not wait to be sent: its run goes on, or somebody else sends it or has done so."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a record goes: the place of all results, and the pipeline's name."""

    place: str
    pipeline: str


class UnsentRun:
    """One record on its way, in a folder of its own: `<data>/unsent/<run-id>/`.

    It holds where the record goes, a lock that its run holds while it goes on, and below `<pipeline>/<run-id>/` the record.

    Args:
        folder: named as the run; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = FileLock(folder / _LOCK, thread_local=False)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.folder.name

    @property
    def destination(self) -> Destination:
        """Where it goes.

        Raises:
            StorageError: the folder does not say.
        """
        path = self.folder / _PLACE
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            return Destination(data["place"], data["pipeline"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StorageError(f"{path} does not say where {self.run_id} goes", "copy the record by hand") from error

    def record(self, pipeline: str) -> Path:
        """The folder of the record itself."""
        return self.folder / pipeline / self.run_id

    def begin(self, destination: Destination) -> None:
        """Note where it goes, and hold it until `end` or `leave`.

        Raises:
            StorageError: it cannot be written.
        """
        with storing(self.folder):
            make_folder(self.folder)
            self._lock.acquire(timeout=0)
            write_json(self.folder / _PLACE, {"place": destination.place, "pipeline": destination.pipeline})

    def leave(self) -> None:
        """Let go of it: it is to be sent another time."""
        self._lock.release()

    def end(self) -> None:
        """All of it has been sent: remove it."""
        with suppress(OSError):  # first what makes it one that waits: nobody takes what is half removed for a record
            (self.folder / _PLACE).unlink()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.release()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Inside, no other process sends or writes it.

        Raises:
            NotWaitingError: its run still goes on, or another process sends it or has sent it.
            StorageError: the folder cannot be written.
        """
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise NotWaitingError(f"{self.run_id} has not ended, or is being sent", "try again when it has ended") from error
        except OSError as error:
            raise storage_error(self.folder, error) from error
        try:
            if not (self.folder / _PLACE).exists():
                shutil.rmtree(self.folder, ignore_errors=True)  # the lock alone has made it again
                raise NotWaitingError(f"{self.run_id} was sent by another process")
            yield
        finally:
            self._lock.release()


def unsent_runs(data: Path) -> list[UnsentRun]:
    """All records that wait to be sent, oldest first.

    Args:
        data: the user's data folder.

    Raises:
        StorageError: the folder cannot be read.
    """
    folder = data / UNSENT
    try:
        return [UnsentRun(path) for path in sorted(folder.iterdir()) if (path / _PLACE).exists()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(f"cannot read {folder}: {error.strerror}", "become its owner") from error
