"""Sends what a bucket did not take while the run went on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dockercise_prefect.results.local_store import INDEX, SUMMARY
from dockercise_prefect.results.objects import Objects
from dockercise_prefect.results.report.runs_page import update_runs_page
from dockercise_prefect.results.unsent import Destination, UnsentRun


def push(run: UnsentRun, connect: Callable[[Destination], Objects]) -> str:
    """Send all of a record, what has arrived before included, and remove it here. Again, it does no harm.

    Args:
        run: the record.
        connect: opens the place that it goes to.

    Returns:
        The URL of the record where it is now.

    Raises:
        UsageError: the run still goes on.
        StorageError: the place fails; everything stays here.
    """
    destination = run.destination
    with run.held():
        objects = connect(destination)
        path = f"{destination.pipeline}/{run.run_id}"
        folder = run.record(destination.pipeline)
        for file in sorted(_files(folder), key=_turn):
            with file.open("rb") as content:
                objects.put(f"{path}/{file.name}", content)
        update_runs_page(objects, destination.pipeline)
        run.end()
    return f"{objects.url}/{path}"


def _files(folder: Path) -> list[Path]:
    """The files of a record; what begins with a dot was never whole."""
    return [file for file in folder.iterdir() if file.is_file() and not file.name.startswith(".")]


def _turn(file: Path) -> tuple[int, str]:
    """The index first, and last the summary, which says that the record is complete."""
    return {INDEX: 0, SUMMARY: 2}.get(file.name, 1), file.name
