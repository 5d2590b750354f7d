"""Suggests similar names, as long as the search for them is cheap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from dockercise_prefect.compiler.spelling.misspelt import Misspelt
from dockercise_prefect.errors import Place, did_you_mean

MAX_COMPARISONS = 50_000
"""The most comparisons, which take about half a second. In a file with thousands of wrong names, only the first get hints."""


def suggestion(word: str, known: Sequence[str]) -> str | None:
    """The hint with the most similar word of a short list, or with the whole list if no word is similar."""
    meant = did_you_mean(word, known)
    return f"did you mean `{meant}`?" if meant else f"use {_listed(known)}" if known else None


def _listed(words: Sequence[str]) -> str:
    quoted = [f"`{word}`" for word in words]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + f" or {quoted[-1]}"


class StageNames:
    """The names of all stages with their places. It finds the stage that a wrong name is similar to."""

    def __init__(self, places: Mapping[str, Place], *, complete: bool) -> None:
        """Take the names. `complete` is False if a file could not be read, so that more stages may exist."""
        self._places = places
        self._names = tuple(places)
        self.complete = complete
        self._left = MAX_COMPARISONS
        self._hints: dict[str, str | None] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def named(self, name: str) -> str:
        """The text for a stage in hints, with its place."""
        return f"`{name}` ({self._places[name]})"

    def slip_of(self, word: str) -> str | None:
        """The stage whose name a word is a misspelling of. A plural is a different word."""
        stage = self._misspelt.meant_by(word)
        return None if stage is None or word == f"{stage}s" or word in self else stage

    @cached_property
    def _misspelt(self) -> Misspelt:
        return Misspelt(self._names)

    def hint(self, word: str) -> str | None:
        """`did you mean …?`, or None if no stage's name is similar, or if too many were already searched for."""
        if word not in self._hints:
            self._hints[word] = self._search(word)
        return self._hints[word]

    def _search(self, word: str) -> str | None:
        if self._left < len(self._names):
            return None
        self._left -= len(self._names)
        meant = did_you_mean(word, self._names)
        return f"did you mean {self.named(meant)}?" if meant else None
