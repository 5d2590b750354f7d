"""Copies of a record's files in another place, while the record grows and the place may fail."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from dockercise_prefect.errors import StorageError
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.record import mirror as mirror_module
from dockercise_prefect.results.record.mirror import Mirror

PATIENCE = 60


class Place(FolderObjects):
    """A folder that fails if the test wants it to, and records what it received."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.fails = False
        self.changed = threading.Condition()
        self.tries: list[str] = []

    def put(self, path: str, content: BinaryIO) -> None:
        """Fail, or write."""
        try:
            if self.fails:
                raise StorageError("the place is on fire")
            super().put(path, content)
        finally:
            with self.changed:
                self.tries.append(path)
                self.changed.notify_all()

    def tried(self, count: int) -> bool:
        """Wait for this number of attempts."""
        with self.changed:
            return self.changed.wait_for(lambda: len(self.tries) >= count, PATIENCE)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place that works."""
    return Place(tmp_path / "there")


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """The folder of a record."""
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


@pytest.fixture
def said() -> list[str]:
    """The messages for the user."""
    return []


@pytest.fixture
def mirror(record: Path, place: Place, said: list[str]) -> Iterator[Mirror]:
    """A mirror from the record to the place."""
    mirror = Mirror(record, place, "shop/run-1", said.append)
    yield mirror
    mirror.close()


def threads_of_mirrors() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("mirror-")]


def there(tmp_path: Path, name: str) -> bytes:
    return (tmp_path / "there/shop/run-1" / name).read_bytes()


def test_what_was_put_last_is_there(tmp_path: Path, record: Path, mirror: Mirror) -> None:
    """However often a file changes, its last version is sent."""
    for number in range(50):
        (record / "a.json").write_text(str(number))
        mirror.put("a.json")
    (record / "b.json").write_text("b")
    mirror.put("b.json")
    mirror.settle()

    assert there(tmp_path, "a.json") == b"49"
    assert there(tmp_path, "b.json") == b"b"


def test_a_log_arrives_while_it_grows(
    tmp_path: Path, record: Path, place: Place, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The output of a stage can be read elsewhere before the stage ends."""
    monkeypatch.setattr(mirror_module, "GROWING_SECONDS", 0.01)
    (record / "a.log").write_text("first\n")
    mirror.grew("a.log")

    assert place.tried(1)
    assert there(tmp_path, "a.log") == b"first\n"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that failed is tried again after a short time."""
    monkeypatch.setattr(mirror_module, "SHORTEST_PAUSE", 0.01)


@pytest.mark.usefixtures("impatient")
def test_a_place_that_fails_is_tried_again(tmp_path: Path, record: Path, place: Place, mirror: Mirror, said: list[str]) -> None:
    """Files that could not be sent are sent when the place works again; the user is informed once."""
    place.fails = True
    for name in ("a.json", "b.json", "c.json"):
        (record / name).write_text(name)
        mirror.put(name)
    assert place.tried(5)
    place.fails = False

    mirror.settle()

    assert {name: there(tmp_path, name) for name in ("a.json", "b.json", "c.json")} == {
        "a.json": b"a.json",
        "b.json": b"b.json",
        "c.json": b"c.json",
    }
    assert said == ["results stay on this machine for now: the place is on fire"]


def test_the_last_try_is_made_at_once_and_is_the_last(record: Path, place: Place, mirror: Mirror) -> None:
    """Waiting for everything skips the pause before the last attempt; if the place fails again, there is no further attempt."""
    place.fails = True
    (record / "a.json").write_text("a")
    mirror.put("a.json")
    assert place.tried(1)

    with pytest.raises(StorageError, match="the place is on fire"):
        mirror.settle()

    assert len(place.tries) <= 3


def test_after_close_nothing_is_sent(record: Path, place: Place, mirror: Mirror) -> None:
    """A closed mirror sends nothing, and its threads end."""
    (record / "a.json").write_text("a")
    mirror.put("a.json")
    mirror.settle()
    workers = threads_of_mirrors()

    mirror.close()
    mirror.put("a.json")
    mirror.grew("a.log")
    for thread in workers:
        thread.join(PATIENCE)

    assert workers
    assert threads_of_mirrors() == []
    assert place.tries == ["shop/run-1/a.json"]


@pytest.mark.usefixtures("mirror")
def test_a_mirror_that_has_nothing_to_do_has_no_threads() -> None:
    """A store that is opened only for its URL leaves nothing running."""
    assert threads_of_mirrors() == []


def test_the_first_file_says_whether_the_place_takes_any(
    tmp_path: Path, record: Path, place: Place, mirror: Mirror, said: list[str]
) -> None:
    """The caller of `knock` receives the error of the place, and the user no message; the refused file is sent later."""
    (record / "a.json").write_text("a")
    place.fails = True
    with pytest.raises(StorageError, match="the place is on fire"):
        mirror.knock("a.json", PATIENCE)
    assert said == []
    place.fails = False

    mirror.settle()

    assert there(tmp_path, "a.json") == b"a"


def test_waiting_ends_when_there_is_no_time_left(tmp_path: Path, record: Path) -> None:
    """If a place hangs, waiting ends after the given time, and files that it accepts later count."""
    place = Hanging(tmp_path / "there")
    mirror = Mirror(record, place, "shop/run-1", print)
    (record / "a.json").write_text("a")
    mirror.put("a.json")
    (record / "b.json").write_text("b")
    mirror.put("b.json")

    assert not mirror.settle(within=0.05)
    place.go.set()

    assert mirror.settle()
    mirror.close()
    assert there(tmp_path, "a.json") == b"a"
    assert there(tmp_path, "b.json") == b"b"


def test_a_version_that_comes_while_another_is_sent_is_sent_after_it(tmp_path: Path, record: Path) -> None:
    """Two versions of a file are never sent at the same time, because the older one could arrive last."""
    place = Hanging(tmp_path / "there")
    mirror = Mirror(record, place, "shop/run-1", print)
    for text in ("old", "new"):
        (record / "a.json").unlink(missing_ok=True)
        (record / "a.json").write_text(text)
        mirror.put("a.json")
        assert place.under_way.wait(PATIENCE)
    (record / "b.json").write_text("b")
    mirror.put("b.json")
    place.go.set()

    mirror.settle()

    mirror.close()
    assert there(tmp_path, "a.json") == b"new"
    assert place.most == 1


class Hanging(FolderObjects):
    """A place that accepts nothing until `go` is set; it records how many attempts for one object ran at the same time."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.go = threading.Event()
        self.under_way = threading.Event()
        self.most = 0
        self._now: Counter[str] = Counter()
        self._lock = threading.Lock()

    def put(self, path: str, content: BinaryIO) -> None:
        """Wait, then write."""
        with self._lock:
            self._now[path] += 1
            self.most = max(self.most, *self._now.values())
        self.under_way.set()
        self.go.wait()
        super().put(path, content)
        with self._lock:
            self._now[path] -= 1


def test_whatever_goes_wrong_is_said(record: Path, tmp_path: Path, said: list[str]) -> None:
    """An unexpected error is handled like any other: nothing waits for a thread that has ended."""

    class Odd(FolderObjects):
        def put(self, path: str, content: BinaryIO) -> None:
            raise RuntimeError(path, content.read())

    mirror = Mirror(record, Odd(tmp_path / "there"), "shop/run-1", said.append)
    (record / "a.json").write_text("a")
    mirror.put("a.json")

    with pytest.raises(StorageError, match=r"cannot send a\.json: RuntimeError"):
        mirror.settle()
    mirror.close()
