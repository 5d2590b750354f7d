"""Finds any of many texts in bytes that come in pieces.

An automaton finds the beginnings of texts, eight bytes each. A table then shows which texts continue from there. So the
automaton is small, whatever the texts are, and the time to build it is in proportion to their number. It is built in parts,
since nothing else runs in this process meanwhile.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, islice
from typing import NamedTuple, TypeAlias

from ahocorasick_rs import BytesAhoCorasick

from dockercise_prefect.runtime.secrets.forms import AFTER, BEFORE, Shared
from dockercise_prefect.runtime.secrets.texts import SHORTEST

BEGINNING = 8
"""How many bytes of a text the automaton knows. For a shorter text it is `SHORTEST`."""

LARGEST_PART = 6_000
"""How many texts a part has, at most. Building its automaton blocks the process for 30 ms at most."""

SMALL_PART = 500
"""How many texts a part has, at most, that is rebuilt whenever texts are added. Rebuilding it takes a few milliseconds."""

CONTEXT = 16
"""How many bytes before the searched bytes can change what is found in them."""

_IN_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")

_RETURN = 0x0D

_WRAP = re.compile(rb"\n(?:(?<=[A-Za-z0-9+/_-]{%d}\n)|(?<=[A-Za-z0-9+/_-]{%d}\r\n))(?![\r\n])" % (CONTEXT, CONTEXT))
"""A line break in a text that tools have wrapped. They wrap at 64 or 76 characters, and most words are shorter than 16."""

Span: TypeAlias = tuple[int, int]


Match: TypeAlias = tuple[int, int, Shared]


class Look(NamedTuple):
    """What was found in some bytes.

    Attributes:
        spans: where texts are, in order. They do not overlap or touch.
        settled: what was found before this index is final, whatever comes after the bytes.
    """

    spans: list[Span]
    settled: int


class Searcher:
    """Knows texts, and finds them. Immutable.

    Args:
        parts: the texts. A part that may be changed comes last.
    """

    def __init__(self, parts: tuple[_Part, ...] = ()) -> None:
        self._parts = parts

    def __bool__(self) -> bool:
        """Whether there is anything to find."""
        return bool(self._parts)

    def adding(self, texts: Mapping[bytes, Shared]) -> Searcher:
        """A searcher that knows these texts too. The time for this depends on their number, and hardly on the known texts."""
        fresh = iter(texts.items())
        parts = list(self._parts)
        while batch := dict(islice(fresh, LARGEST_PART)):
            while parts and _go_together(len(parts[-1]), len(batch)):
                batch = {**parts.pop().texts, **batch}
            parts.append(_Part(batch))
        return Searcher(tuple(parts))

    def look(self, data: bytes) -> Look:
        """Where texts are in the data, both as they are and with line breaks from wrapping."""
        matches, settled = self._matches(data)
        wraps = _wraps(data)
        if wraps:
            joined, origin = _joined(data, wraps)
            in_joined, settled_in_joined = self._matches(joined)
            matches += [(origin(start), origin(end - 1) + 1, shared) for start, end, shared in in_joined]
            settled = min(settled, origin(settled_in_joined))
        spans = [(start - _shares_before(data, start, shared), end) for start, end, shared in matches]
        # The text that comes next may share the last character.
        return Look(merged(spans), settled - (settled > 0 and data[settled - 1] in _IN_BASE64))

    def _matches(self, data: bytes) -> tuple[list[Match], int]:
        matches: list[Match] = []
        settled = len(data)
        for part in self._parts:
            settled = min(settled, part.find(data, matches))
        unsure = [start for start, end, shared in matches if shared & AFTER and end == len(data)]
        matches = [(start, end + _shares_after(data, end, shared), shared) for start, end, shared in matches]
        return matches, min([settled, *unsure])


class _Part:
    """Some of the texts, each with what it shares with its neighbours in base64."""

    def __init__(self, texts: Mapping[bytes, Shared]) -> None:
        self._texts = sorted(texts)
        self._shared = [texts[text] for text in self._texts]
        self._shorter = list(_shorter(self._texts))
        self._longest = max(map(len, self._texts))
        ranges = _ranges(self._texts)
        self._ranges = list(ranges.values())
        self._bytes = frozenset(b"".join(ranges))
        self._beginnings = BytesAhoCorasick(ranges)

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def texts(self) -> dict[bytes, Shared]:
        """All texts of this part."""
        return dict(zip(self._texts, self._shared, strict=True))

    def find(self, data: bytes, matches: list[Match]) -> int:
        """Append the texts found in the data to `matches`. If several begin at one place, append the longest.

        Returns:
            Where a text may begin that continues after the data.
        """
        texts, ranges, longest, total = self._texts, self._ranges, self._longest, len(data)
        settled = total
        for index, start, _ in self._beginnings.find_matches_as_indexes(data, overlapping=True):
            first, end = ranges[index]
            rest = data[start : start + longest]
            place = bisect_right(texts, rest, first, end)
            found = place - 1
            while found >= first and not rest.startswith(texts[found]):
                found = self._shorter[found]
            if found >= first:
                matches.append((start, start + len(texts[found]), self._shared[found]))
            if start < settled and total - start < longest and place < end and texts[place].startswith(rest):
                settled = start
        if total and data[-1] in self._bytes:
            for start in range(max(0, total - BEGINNING + 1), settled):
                if self._goes_on(data[start:]):
                    return start
        return settled

    def _goes_on(self, rest: bytes) -> bool:
        """Whether there is a longer text that begins with `rest`."""
        place = bisect_right(self._texts, rest)
        return place < len(self._texts) and self._texts[place].startswith(rest)


def _ranges(texts: Sequence[bytes]) -> dict[bytes, tuple[int, int]]:
    """The beginnings of the texts, which are sorted. For each beginning, the range of the texts that have it."""
    ranges: dict[bytes, tuple[int, int]] = {}
    for index, text in enumerate(texts):
        beginning = text[: BEGINNING if len(text) >= BEGINNING else SHORTEST]
        first, _ = ranges.get(beginning, (index, index))
        ranges[beginning] = (first, index + 1)
    return ranges


def _shorter(texts: Sequence[bytes]) -> Iterator[int]:
    """For each of the texts, which are sorted, the index of the longest other text that it begins with; -1 if there is none."""
    nested: list[int] = []
    for index, text in enumerate(texts):
        while nested and not text.startswith(texts[nested[-1]]):
            nested.pop()
        yield nested[-1] if nested else -1
        nested.append(index)


def _wraps(data: bytes) -> list[Span]:
    """The line breaks that wrap a text. A carriage return at the end may become such a line break."""
    found = [(end - 1 - (data[end - 2] == _RETURN), end) for end in map(re.Match.end, _WRAP.finditer(data))]
    return [*found, (len(data) - 1, len(data))] if data[-1:] == b"\r" else found


def merged(spans: Iterable[Span]) -> list[Span]:
    """The spans in order. Spans that overlap or touch become one."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _go_together(known: int, fresh: int) -> bool:
    return known + fresh <= LARGEST_PART and known <= max(SMALL_PART, fresh)


def _joined(data: bytes, wraps: Sequence[Span]) -> tuple[bytes, Callable[[int], int]]:
    """The data without these line breaks, and a function from an index in the result to the index in the data."""
    borders = [0, *(border for wrap in wraps for border in wrap), len(data)]
    lines = [data[start:end] for start, end in zip(borders[::2], borders[1::2], strict=True)]
    ends = list(accumulate(map(len, lines[:-1])))  # in the joined data, the end of each line that continues
    left_out = [0, *accumulate(end - start for start, end in wraps)]
    return b"".join(lines), lambda index: index + left_out[bisect_right(ends, index)]


def _shares_before(data: bytes, start: int, shared: Shared) -> bool:
    """Whether the character before a text holds some of its bits."""
    return bool(shared & BEFORE) and start > 0 and data[start - 1] in _IN_BASE64


def _shares_after(data: bytes, end: int, shared: Shared) -> bool:
    """Whether the character after a text holds some of its bits."""
    return bool(shared & AFTER) and end < len(data) and data[end] in _IN_BASE64
