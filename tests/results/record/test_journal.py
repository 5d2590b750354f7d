"""The journal of a run: what it has is there after a kill, and only one process finishes a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.errors import StorageError
from dockercise_prefect.results.record.journal import FILE, BusyError, Entry, Journal


def test_entries_come_back_in_order(tmp_path: Path) -> None:
    """What was noted is read back, by another object too."""
    Journal(tmp_path).note(Entry.RUN, {"a": 1})
    Journal(tmp_path).note(Entry.CANCELLED, "Prefect")

    assert Journal(tmp_path).entries() == [("run", {"a": 1}), ("cancelled", "Prefect")]


def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    """Names of variables and branches are nobody else's business."""
    Journal(tmp_path).note(Entry.RUN, {})

    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_a_line_that_was_being_written_is_left_out(tmp_path: Path) -> None:
    """The process can die in the middle of a line."""
    Journal(tmp_path).note(Entry.RUN, {})
    with (tmp_path / FILE).open("a") as file:
        file.write('["result", "{')

    assert Journal(tmp_path).entries() == [("run", {})]
    Journal(tmp_path).note(Entry.CANCELLED, "Prefect")
    assert Journal(tmp_path).entries() == [("run", {}), ("cancelled", "Prefect")]


def test_without_a_journal_there_is_nothing_to_finish(tmp_path: Path) -> None:
    """A run that has ended has no journal any more."""
    journal = Journal(tmp_path)
    journal.note(Entry.RUN, {})

    journal.remove()

    assert journal.entries() == []
    with pytest.raises(BusyError), journal.finishing():
        pass


def test_one_process_finishes_a_run(tmp_path: Path) -> None:
    """While one does so, no other begins; when it is done, the next one may look."""
    Journal(tmp_path).note(Entry.RUN, {})

    with Journal(tmp_path).finishing(), pytest.raises(BusyError), Journal(tmp_path).finishing():
        pass
    with Journal(tmp_path).finishing():
        pass


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(StorageError, match=r"nowhere/\.journal"):
        Journal(tmp_path / "nowhere").note(Entry.RUN, {})
