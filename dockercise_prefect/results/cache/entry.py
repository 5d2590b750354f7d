"""One stage that passed: what it was made from, and what it left."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.summary import Time
from dockercise_prefect.reuse.ingredients import Ingredients


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One stage that passed.

    Attributes:
        stage: its name.
        ingredients: what it was made from.
        run_id: the run in which it ran.
        finished: when it passed.
        seconds: how long that took.
        output_digest: of what it printed on stdout.
        output_size: the bytes of that.
        volume_digest: of its volume; None if it has none.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    stage: StageName
    ingredients: Ingredients
    run_id: str
    finished: Time
    seconds: float
    output_digest: str
    output_size: int
    volume_digest: str | None

    @property
    def contents(self) -> tuple[str, ...]:
        """The digests of everything that it left."""
        return (self.output_digest,) if self.volume_digest is None else (self.output_digest, self.volume_digest)


_ENTRIES = TypeAdapter(list[Entry])


def entries_to_json(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """As JSON values, which `entries_from_json` parses."""
    return [asdict(entry) for entry in entries]


def entries_from_json(data: Any) -> list[Entry]:
    """Parse the result of `entries_to_json`.

    Raises:
        ValueError: the value is not from this version of dockercise.
    """
    return _ENTRIES.validate_python(data)


def further_entries(data: Any, known: set[Hashable]) -> list[Entry]:
    """Parse the result of `entries_to_json`, except for entries that are known: most are in the objects of many runs.

    Args:
        data: JSON values.
        known: identifies the entries of other objects. Those of this one are added.

    Raises:
        ValueError: the value is not from this version of dockercise.
    """
    fresh = [one for one in data if _identity(one) not in known] if isinstance(data, list) else data
    found = entries_from_json(fresh)
    known.update((entry.stage, entry.run_id) for entry in found)
    return found


def _identity(data: Any) -> Hashable:
    """What identifies an entry: a stage runs once in a run."""
    return (str(data.get("stage")), str(data.get("run_id"))) if isinstance(data, dict) else None


def newest_by_key(entries: Iterable[Entry]) -> Mapping[str, Entry]:
    """For each key, the entry that was made last."""
    found: dict[str, Entry] = {}
    for entry in entries:
        key = entry.ingredients.key
        if key not in found or found[key].finished < entry.finished:
            found[key] = entry
    return found
