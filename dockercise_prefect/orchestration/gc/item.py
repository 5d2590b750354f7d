"""What `gc` finds, and what came of it, as values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What is ended, removed or sent."""

    RUN = "run"
    ENGINE = "engine"
    RECORD = "record"
    UNSENT = "unsent"
    CACHE = "cache"
    REPOSITORY = "repository"
    PACKAGES = "packages"
    BUILD_CACHE = "build cache"


class Verb(StrEnum):
    """What is done with it, as a present and as a past form."""

    CLEAN_UP = "clean up after"
    END = "end"
    REMOVE = "remove"
    SEND = "send"

    @property
    def past(self) -> str:
        """`ended`, `removed`, `sent`."""
        return {Verb.CLEAN_UP: "cleaned up after", Verb.END: "ended", Verb.REMOVE: "removed", Verb.SEND: "sent"}[self]


@dataclass(frozen=True, slots=True)
class Item:
    """Something that is to be done.

    Attributes:
        name: what it is, in words.
        why: the reason, in words.
        do: does it. It may be called although another process has done it in the meantime.
        size: the bytes that it sets free; None if this is not known.
    """

    kind: Kind
    verb: Verb
    name: str
    why: str
    do: Callable[[], object]
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an item, or of a part of `gc` that failed as a whole.

    Attributes:
        item: None for a whole part.
        done: whether it was done. False for a dry run, too.
        problem: what went wrong, with a hint; None if nothing did.
    """

    kind: Kind
    item: Item | None
    done: bool
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The entry of `gc --json`."""
        item = self.item
        return {
            "kind": self.kind.value,
            "action": item.verb.value if item else None,
            "name": item.name if item else None,
            "why": item.why if item else None,
            "bytes": item.size if item else None,
            "done": self.done,
            "problem": self.problem,
        }
