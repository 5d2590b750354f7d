"""Marks the local record of a run with its process until the run has ended, to recognize a record that nobody writes."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath

from dockercise_prefect.results.places.files import storing, write_json

FILE = ".owner"
"""The file in the record. Its name begins with a dot, so it is not sent to a bucket."""

_TEMPORARY = ".*.tmp"
"""Files that were being written when the process died."""


@dataclass(frozen=True, slots=True)
class OwnerMark:
    """The process of a run, and its flow run in Prefect.

    Attributes:
        owner: the process (`ownership.Owner`).
        flow_run_url: the page of the flow run; None if it is not known.
        guardian: the process that finishes the run if that process dies (`ownership.Owner`); None if there is none.
    """

    owner: str
    flow_run_id: str
    flow_run_url: str | None
    guardian: str | None = None


def mark_owner(folder: Path, mark: OwnerMark) -> None:
    """Mark a record before anything else is written, so that no dead run leaves one without a mark. Or mark it anew.

    Raises:
        StorageError: the mark cannot be written.
    """
    with storing(folder / FILE):
        write_json(folder / FILE, asdict(mark))


def owner_of(folder: Path) -> OwnerMark | None:
    """The mark of a record; None if the record has none, because its run has ended or an older version has made it."""
    try:
        data = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return OwnerMark(str(data["owner"]), str(data["flow_run_id"]), data["flow_run_url"], data.get("guardian"))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def unmark_owner(folder: Path) -> None:
    """The run has ended. If the mark cannot be removed, it has no effect any more, since the record has a summary."""
    with suppress(OSError):
        (folder / FILE).unlink(missing_ok=True)


def is_scrap(path: PurePath) -> bool:
    """Whether this is a file that is being written, or that a dead process has not finished writing."""
    return path.match(_TEMPORARY)


def remove_scraps(folder: Path) -> None:
    """Remove the files that a dead process has not finished writing."""
    for path in folder.glob(_TEMPORARY):
        with suppress(OSError):
            path.unlink()
