"""Suggestions of close names, while searching for them stays cheap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from dockercise_prefect.compiler.spelling.misspelt import Misspelt
from dockercise_prefect.errors import Place, did_you_mean

MAX_COMPARISONS = 50_000
"""About half a second. A file of thousands of wrong names gets its hints for the first of them."""


def suggestion(word: str, known: Sequence[str]) -> str | None:
    """The hint for a word out of a short list; all of it when nothing is close."""
    meant = did_you_mean(word, known)
    return f"did you mean `{meant}`?" if meant else f"there is {_listed(known)}" if known else None


def _listed(words: Sequence[str]) -> str:
    quoted = [f"`{word}`" for word in words]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + f" and {quoted[-1]}"


class StageNames:
    """The names of all stages, where they stand, and which one a wrong name is close to."""

    def __init__(self, places: Mapping[str, Place], *, complete: bool) -> None:
        """Take the names; `complete` is False when a file could not be read, so that more may exist."""
        self._places = places
        self._names = tuple(places)
        self.complete = complete
        self._left = MAX_COMPARISONS
        self._hints: dict[str, str | None] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def named(self, name: str) -> str:
        """A stage as hints show it, with its place."""
        return f"`{name}` ({self._places[name]})"

    def slip_of(self, word: str) -> str | None:
        """The stage whose name a word is a slip away from; a plural is another word."""
        stage = self._misspelt.meant_by(word)
        return None if stage is None or word == f"{stage}s" or word in self else stage

    @cached_property
    def _misspelt(self) -> Misspelt:
        return Misspelt(self._names)

    def hint(self, word: str) -> str | None:
        """`did you mean …?`, or None when no stage's name is close, or too many were already looked for."""
        if word not in self._hints:
            self._hints[word] = self._search(word)
        return self._hints[word]

    def _search(self, word: str) -> str | None:
        if self._left < len(self._names):
            return None
        self._left -= len(self._names)
        meant = did_you_mean(word, self._names)
        return f"did you mean {self.named(meant)}?" if meant else None
