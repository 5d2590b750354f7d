"""`gc` does everything that it finds, and what fails keeps nothing else from being done."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx

from dockercise_prefect.cli.present.garbage import outcome_line, total_line
from dockercise_prefect.errors import EngineError, StorageError
from dockercise_prefect.orchestration.gc.collect import Chore, collect
from dockercise_prefect.orchestration.gc.item import Item, Kind, Verb


def item(name: str, do: Callable[[], object], size: int | None = None) -> Item:
    """A record to remove."""
    return Item(Kind.RECORD, Verb.REMOVE, name, "too old", do, size)


def failing() -> None:
    """Fails as a place of records does."""
    raise StorageError("the disk is gone", "put it back")


def no_engine() -> Iterator[Item]:
    """Fails as an engine does."""
    raise EngineError("no engine answers")


def no_prefect() -> Iterator[Item]:
    """Fails as Prefect does, after it has found something."""
    yield item("first", lambda: None)
    raise httpx.ConnectError("refused")


def test_everything_is_done_in_order_and_told() -> None:
    """A failure is told with its hint, and all other items and parts are done nevertheless."""
    did: list[str] = []
    chores = [
        Chore(Kind.ENGINE, no_engine),
        Chore(Kind.RUN, no_prefect),
        Chore(Kind.RECORD, lambda: [item("a", failing), item("b", lambda: did.append("b"), 2048)]),
    ]

    outcomes = list(collect(chores, dry_run=False))

    lines = [outcome_line(outcome, dry_run=False) for outcome in outcomes]
    assert did == ["b"]
    assert lines[0] == "no engine answers"
    assert lines[1] == "removed first: too old"
    assert lines[2].startswith("Prefect failed: ConnectError: refused")
    assert lines[3] == "could not remove a: the disk is gone\n  hint: put it back"
    assert lines[4] == "removed b (2 KB): too old"
    assert total_line(outcomes, dry_run=False) == "2 things done, 2 KB set free, 3 failed"


def test_a_dry_run_does_nothing() -> None:
    """A dry run says what would be done, and does not do it."""
    outcomes = list(collect([Chore(Kind.RECORD, lambda: [item("a", failing, 5)])], dry_run=True))

    assert [outcome_line(outcome, dry_run=True) for outcome in outcomes] == ["would remove a (5 bytes): too old"]
    assert total_line(outcomes, dry_run=True) == "1 thing to do, 5 bytes would be set free"


def test_nothing_is_told_as_nothing() -> None:
    """If there is nothing, the last line says so."""
    assert total_line([], dry_run=False) == "nothing to do"


def test_the_json_has_all_of_an_outcome() -> None:
    """Each entry of the JSON says what it is about, what was to be done, and what came of it."""
    failed, whole = collect([Chore(Kind.RECORD, lambda: [item("a", failing, 5)]), Chore(Kind.ENGINE, no_engine)], dry_run=False)

    assert failed.to_json() == {
        "kind": "record",
        "action": "remove",
        "name": "a",
        "why": "too old",
        "bytes": 5,
        "done": False,
        "problem": "the disk is gone\n  hint: put it back",
    }
    assert whole.to_json() == {
        "kind": "engine",
        "action": None,
        "name": None,
        "why": None,
        "bytes": None,
        "done": False,
        "problem": "no engine answers",
    }
