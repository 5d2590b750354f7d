"""Does what `gc` finds, one after the other. What fails keeps nothing else from being done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.orchestration.gc.item import Item, Kind, Outcome
from dockercise_prefect.orchestration.prefect.api import LOST, lost_api

FAILURES = (DockerciseError, *LOST)


@dataclass(frozen=True, slots=True)
class Chore:
    """One part of `gc`. `find` may raise `FAILURES`, and so may the items."""

    kind: Kind
    find: Callable[[], Iterable[Item]]


def collect(chores: Iterable[Chore], *, dry_run: bool) -> Iterator[Outcome]:
    """Do the chores in this order.

    Args:
        chores: the parts.
        dry_run: only say what would be done.
    """
    for chore in chores:
        try:
            for item in chore.find():
                yield Outcome(item.kind, item, done=False) if dry_run else _done(item)
        except FAILURES as error:
            yield Outcome(chore.kind, None, done=False, problem=_text(error))


def _done(item: Item) -> Outcome:
    try:
        item.do()
    except FAILURES as error:
        return Outcome(item.kind, item, done=False, problem=_text(error))
    return Outcome(item.kind, item, done=True)


def _text(error: Exception) -> str:
    return str(error if isinstance(error, DockerciseError) else lost_api(error))
