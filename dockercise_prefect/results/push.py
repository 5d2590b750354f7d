"""Sends the records that a bucket did not accept during the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dockercise_prefect.errors import StorageError
from dockercise_prefect.results.places.objects import Objects, remove_outdated
from dockercise_prefect.results.record.file_names import INDEX, SUMMARY, replaced_by
from dockercise_prefect.results.record.owner_mark import owner_of
from dockercise_prefect.results.record.unsent import Destination, NotWaitingError, UnsentRun
from dockercise_prefect.results.report.runs_page import update_runs_page


def push(run: UnsentRun, connect: Callable[[Destination], Objects], notify: Callable[[str], None]) -> str:
    """Send all files of a record, including those that have already arrived, and remove it here. It is safe to repeat this.

    Args:
        run: the record.
        connect: opens the place that the record goes to.
        notify: called with a message if the record has arrived, but the list of runs does not have it.

    Returns:
        The URL of the record where it is now.

    Raises:
        NotWaitingError: the run is still running, or another process is sending the record or has sent it.
        StorageError: the place fails. Everything stays here.
    """
    with run.held():
        destination = run.destination
        objects = connect(destination)
        path = f"{destination.pipeline}/{run.run_id}"
        folder = run.record(destination.pipeline)
        mark = owner_of(folder)
        if mark is not None and mark.guardian is not None:  # the process of the run has died, and its guardian finishes it
            raise NotWaitingError(f"{run.run_id} has not ended", "`dockercise gc` ends it if nobody finishes it")
        for file in sorted(_files(folder), key=_turn):
            with _reading(file), file.open("rb") as content:
                objects.put(f"{path}/{file.name}", content)
            if former := replaced_by(file.name):
                remove_outdated(objects, f"{path}/{former}")
        run.end()
    try:
        update_runs_page(objects, destination.pipeline)
    except StorageError as error:  # the next run of the pipeline writes the list again
        notify(f"the list of runs is not up to date: {error.message}")
    return f"{objects.url}/{path}"


def _files(folder: Path) -> list[Path]:
    """The files of a record, without incomplete files (their names begin with a dot) and without files that were replaced."""
    with _reading(folder):
        found = [file for file in folder.iterdir() if file.is_file() and not file.name.startswith(".")]
    replaced = {replaced_by(file.name) for file in found}
    return [file for file in found if file.name not in replaced]


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}", "check its permissions") from error


def _turn(file: Path) -> tuple[int, str]:
    """The order of sending: the index first, and the summary last, because it says that the record is complete."""
    return {INDEX: 0, SUMMARY: 2}.get(file.name, 1), file.name
