"""Which contents are removed when there are too many: those that are cheapest to make again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from dockercise_prefect.results.cache.paths import content_path, list_path


@dataclass(frozen=True, slots=True)
class _Left:
    """The attributes of an `Entry` that say what it costs to make its contents again. Other attributes are not looked at."""

    seconds: float
    output_digest: str
    volume_digest: str | None
    ingredients: Any = None


_LEAST = -1.0
"""The seconds of what goes before everything else."""

_ALL_LEFT = TypeAdapter(list[_Left])


def seconds_of_objects(entries: Any) -> dict[str, float]:
    """For the path of each object that entries name, what it costs to make it again: the seconds of the slowest stage.

    Objects are contents, and lists of files. Lists are worth less than anything else, since nothing runs again without them.

    A place may have entries of another version, which this version cannot reuse. Their contents are not to be lost.

    Args:
        entries: what `entries_to_json` returns, of this version or of another one.

    Raises:
        ValueError: the value is not a list of entries.
    """
    found: dict[str, float] = {}
    for left in _ALL_LEFT.validate_python(entries):
        for digest in (left.output_digest, left.volume_digest):
            if digest is not None:
                path = content_path(digest)
                found[path] = max(left.seconds, found.get(path, 0.0))
        found.update(dict.fromkeys(map(list_path, _listed(left.ingredients)), _LEAST))
    return found


def _listed(ingredients: Any) -> Iterator[str]:
    """The digests of what there may be a list of. The ingredients may be those of another version."""
    for name in ("code", "volumes"):
        part = ingredients.get(name) if isinstance(ingredients, dict) else None
        if isinstance(part, dict):
            yield from map(str, part.values())


def evicted(sizes: Mapping[str, int], seconds: Mapping[str, float], limit: int) -> Iterator[str]:
    """The objects that have to go, so that the others have at most `limit` bytes.

    Those with the fewest seconds for each byte go first. An object without seconds costs nothing.

    Args:
        sizes: the bytes of each object, by its path.
        seconds: what it costs to make an object again, see `seconds_of_objects`.
        limit: bytes.
    """
    total = sum(sizes.values())
    for path in sorted(sizes, key=lambda path: (seconds.get(path, 0.0) / max(1, sizes[path]), path)):
        if total <= limit:
            return
        total -= sizes[path]
        yield path
