"""Finds misspelt names: those with one letter too many, one missing, one wrong, or two neighbours exchanged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

USED = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]{4,63})(?![A-Za-z0-9_])")
"""A variable with a name that is long enough to distinguish a misspelling from another name."""

_LEAST = 5


class Misspelt:
    """Finds the name that may be meant. The time depends on the name's length, but not on the number of known names."""

    def __init__(self, known: Iterable[str]) -> None:
        self._by_shortened: dict[str, list[str]] = {}
        for name in known:
            if len(name) >= _LEAST:
                for shortened in {name, *_shortened(name)}:
                    self._by_shortened.setdefault(shortened, []).append(name)

    def meant_by(self, name: str) -> str | None:
        """The known name that this one is a misspelling of. A name that differs by a digit is a different name."""
        if len(name) < _LEAST:
            return None
        near = (known for each in (name, *_shortened(name)) for known in self._by_shortened.get(each, ()))
        return next((known for known in near if _is_slip(name, known)), None)


def _shortened(name: str) -> Iterator[str]:
    return (name[:at] + name[at + 1 :] for at in range(len(name)))


def _is_slip(name: str, known: str) -> bool:
    shorter, longer = sorted((name, known), key=len)
    start = next((at for at, (one, other) in enumerate(zip(shorter, longer, strict=False)) if one != other), len(shorter))
    if any(character.isdigit() for character in (*shorter[start : start + 1], *longer[start : start + 1])):
        return False
    if len(longer) > len(shorter):
        return shorter[start:] == longer[start + 1 :]
    changed = shorter[start : start + 2] == longer[start : start + 2][::-1] and shorter[start + 2 :] == longer[start + 2 :]
    return changed or shorter[start + 1 :] == longer[start + 1 :]
