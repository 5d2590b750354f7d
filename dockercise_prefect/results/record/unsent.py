"""Records that have not completely arrived in a bucket. Until then, they are in the user's data folder."""

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
    """The record does not wait to be sent: its run is still running, or another process is sending it or has sent it."""


@dataclass(frozen=True, slots=True)
class Destination:
    """The destination of a record: the place of all results, and the name of the pipeline."""

    place: str
    pipeline: str


class UnsentRun:
    """One unsent record, in its own folder: `<data>/unsent/<run-id>/`.

    The folder contains the destination of the record, a lock that its run holds while it runs, and the record itself, below
    `<pipeline>/<run-id>/`.

    Args:
        folder: the folder, named as the run. It need not exist.
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
        """Where the record goes.

        Raises:
            StorageError: the folder does not contain the destination.
        """
        path = self.folder / _PLACE
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            return Destination(data["place"], data["pipeline"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StorageError(f"{path} does not say where to send {self.run_id}", "copy the record by hand") from error

    def record(self, pipeline: str) -> Path:
        """The folder of the record itself."""
        return self.folder / pipeline / self.run_id

    def begin(self, destination: Destination) -> None:
        """Write the destination, and lock the record until `end` or `leave`.

        Raises:
            StorageError: the folder cannot be written.
        """
        with storing(self.folder):
            make_folder(self.folder)
            self._lock.acquire(timeout=0)
            write_json(self.folder / _PLACE, {"place": destination.place, "pipeline": destination.pipeline})

    def leave(self) -> None:
        """Release the lock. The record will be sent another time."""
        self._lock.release()

    def end(self) -> None:
        """Remove the record, because all of it has been sent."""
        with suppress(OSError):  # the destination first, so that a half-removed folder does not count as a waiting record
            (self.folder / _PLACE).unlink()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.release()

    def is_idle(self) -> bool:
        """Whether no process writes or sends the record at this moment."""
        try:
            with self.held():
                return True
        except (NotWaitingError, StorageError):
            return False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Inside, no other process sends or writes the record.

        Raises:
            NotWaitingError: its run is still running, or another process is sending the record or has sent it.
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
                shutil.rmtree(self.folder, ignore_errors=True)  # taking the lock has created the folder again
                raise NotWaitingError(f"{self.run_id} was sent by another process")
            yield
        finally:
            self._lock.release()


def without_destination(data: Path) -> list[UnsentRun]:
    """The folders that do not contain a destination: they are being made or removed, or their process died meanwhile.

    Raises:
        StorageError: the folder cannot be read.
    """
    return [UnsentRun(path) for path in _folders(data) if path.is_dir() and not (path / _PLACE).exists()]


def unsent_runs(data: Path) -> list[UnsentRun]:
    """All records that wait to be sent, oldest first.

    Args:
        data: the user's data folder.

    Raises:
        StorageError: the folder cannot be read.
    """
    return [UnsentRun(path) for path in _folders(data) if (path / _PLACE).exists()]


def _folders(data: Path) -> list[Path]:
    folder = data / UNSENT
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(f"cannot read {folder}: {error.strerror}", "check its permissions") from error
