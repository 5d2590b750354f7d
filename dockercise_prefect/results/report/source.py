"""What the page of a run reads of the record, from a folder on this machine."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from dockercise_prefect.errors import StorageError
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.record.file_names import SUMMARY, entry_file, tests_file
from dockercise_prefect.results.report.excerpt import Excerpt, excerpt
from dockercise_prefect.results.tests.stage_tests import StageTests


class Source(Protocol):
    """The record of one run, for its page. No method raises an error: the page shows what can be read."""

    @property
    def names(self) -> Collection[str]:
        """The names of the files of the record: most stages have few of those that a stage can have."""
        ...

    def entry(self, stage: StageName) -> Mapping[str, object]:
        """The object of a stage; empty if it cannot be read."""
        ...

    def log(self, stage: StageName, budget: int) -> Excerpt | None:
        """An excerpt of a log, of at most `budget` bytes; None if there is none, or if it is too long to be read for a page."""
        ...

    def tests(self, stage: StageName) -> StageTests | None:
        """The tests of a stage; None if there are none, or if they cannot be read."""
        ...

    def base(self, stage: StageName) -> StageName | None:
        """The stage whose archive has the rest of the volume; None if there is no such stage. See `RecordedRun.volume_base`."""
        ...


class FolderSource:
    """`Source` in a folder.

    Args:
        folder: the folder of the record.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._run = RecordedRun(FolderObjects(folder.parent.parent), folder.parent.name, folder.name)
        # The summary is written last, after the page.
        self._names = frozenset({SUMMARY, *(path.name for path in folder.iterdir())})

    @property
    def names(self) -> Collection[str]:
        """See `Source`."""
        return self._names

    def entry(self, stage: StageName) -> Mapping[str, object]:
        """See `Source`."""
        try:
            with open(f"{self._folder}/{entry_file(stage)}", "rb") as file:  # noqa: PTH123  a path object takes longer than reading
                return parsed_entry(file.read())
        except OSError:
            return {}

    def log(self, stage: StageName, budget: int) -> Excerpt | None:
        """See `Source`."""
        return excerpt(self._run.log(stage), budget)

    def tests(self, stage: StageName) -> StageTests | None:
        """See `Source`."""
        with suppress(StorageError):
            return self._run.tests(stage) if tests_file(stage) in self._names else None
        return None

    def base(self, stage: StageName) -> StageName | None:
        """See `Source`."""
        with suppress(StorageError):  # if it is broken, `fetch` reports it
            return self._run.volume_base(stage)
        return None


def parsed_entry(content: bytes) -> Mapping[str, object]:
    """The object of a stage from its file; empty if it is broken."""
    try:
        entry = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}
