"""Keeps sensitive texts out of whatever leaves the process: they become `***`, in all their forms (docs/adr/0014)."""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ahocorasick_rs import BytesAhoCorasick

from dockercise_prefect.runtime.secret_forms import SHORTEST, Forms, forms_of

MASK = b"***"

WRAPPED_LINE = 16
"""Characters of base64 at the end of a line that make it one of several: tools wrap at 64 or 76, and words are shorter."""

_BREAKS = b"\r\n"
_BREAK = re.compile(rb"[\r\n]")
_BETWEEN_BREAKS = re.compile(rb"[^\r\n]+")
_BREAK_SET = frozenset({b"\r", b"\n"})
_WRAPPED_END = re.compile(rb"[A-Za-z0-9+/_-]{%d}[\r\n]+\Z" % WRAPPED_LINE)

_Span = tuple[int, int]


class _Searcher:
    """Finds any of many texts in a text, and what may become one of them. Immutable."""

    def __init__(self, texts: Iterable[bytes]) -> None:
        self._texts: dict[bytes, list[bytes]] = {}
        for text in sorted(texts):
            self._texts.setdefault(text[:SHORTEST], []).append(text)
        every = [text for group in self._texts.values() for text in group]
        self._longest = max(map(len, every), default=0)
        self._whole = BytesAhoCorasick(every) if every else None
        self._beginnings = BytesAhoCorasick(list(self._texts)) if every else None
        self._shorter = {text[:length] for text in self._texts for length in range(1, SHORTEST)}

    def spans(self, data: bytes) -> list[_Span]:
        """Where the texts are, first to last."""
        if self._whole is None:
            return []
        return [(start, end) for _, start, end in self._whole.find_matches_as_indexes(data, overlapping=True)]

    def beginning(self, data: bytes) -> int:
        """How many bytes at the end may be the beginning of a text, the longest such end."""
        if self._beginnings is None:
            return 0
        window = max(0, len(data) - self._longest + 1)
        for _, start, _ in self._beginnings.find_matches_as_indexes(data[window:], overlapping=True):
            rest = data[window + start :]
            if any(len(text) > len(rest) and text.startswith(rest) for text in self._texts[rest[:SHORTEST]]):
                return len(rest)
        longest = min(SHORTEST - 1, len(data))
        return next((length for length in range(longest, 0, -1) if data[-length:] in self._shorter), 0)


class _Patterns:
    """Everything that is searched for at one moment. Immutable."""

    def __init__(self, forms: Forms) -> None:
        self.forms = forms
        self._exact = _Searcher(forms.exact)
        self._wrapped = _Searcher(forms.wrapped)

    def spans(self, data: bytes) -> list[_Span]:
        """Where something sensitive is, merged, first to last."""
        return _merged([*self._exact.spans(data), *self._wrapped_spans(data)])

    def held(self, data: bytes, spans: list[_Span]) -> int:
        """How many bytes at the end must wait for what follows: they may be the beginning of something sensitive."""
        cut = len(data) - max(self._exact.beginning(data), self._wrapped_beginning(data))
        # What overlaps with it waits too, or it would be cut in two.
        for start, end in reversed(spans):
            if end > cut:
                cut = min(cut, start)
        return len(data) - cut

    def _wrapped_spans(self, data: bytes) -> list[_Span]:
        flat = data.translate(None, _BREAKS)
        found = self._wrapped.spans(flat)
        if not found or len(flat) == len(data):
            return found
        origin = _origins(data)
        return [(origin(start), origin(end - 1) + 1) for start, end in found]

    def _wrapped_beginning(self, data: bytes) -> int:
        if data[-1:] in _BREAK_SET and not _WRAPPED_END.search(data[-WRAPPED_LINE - 8 :]):
            return 0
        flat = data.translate(None, _BREAKS)
        length = self._wrapped.beginning(flat)
        return len(data) - _origins(data)(len(flat) - length) if length else 0


class Masker:
    """The sensitive texts of one run. Thread-safe; grows while the run goes on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._patterns = _Patterns(Forms())

    def add(self, value: bytes) -> None:
        """From here on, this value is masked; white space around it does not count."""
        forms = forms_of(value)
        with self._lock:
            known = self._patterns.forms
            if not (forms.exact <= known.exact and forms.wrapped <= known.wrapped):
                self._patterns = _Patterns(known | forms)

    def text(self, text: str) -> str:
        """The text with everything sensitive masked."""
        if not self._patterns.forms.exact:
            return text
        data = text.encode("utf-8", "surrogatepass")
        spans = self._patterns.spans(data)
        return _masked(data, spans).decode("utf-8", "surrogatepass") if spans else text

    def json(self, value: Any) -> Any:
        """JSON values with all texts in them masked; names of objects stay."""
        if not self._patterns.forms.exact:
            return value
        match value:
            case str():
                return self.text(value)
            case list() | tuple():
                return [self.json(item) for item in value]
            case dict():
                return {name: self.json(item) for name, item in value.items()}
            case _:
                return value

    def stream(self) -> MaskedStream:
        """A filter for text that comes in pieces."""
        return MaskedStream(self)

    def scan(self) -> Scan:
        """A look for what is sensitive now; what is added later does not count."""
        return Scan(self._patterns)

    @property
    def patterns(self) -> _Patterns:
        """What is searched for at this moment."""
        return self._patterns


class MaskedStream:
    """Masks text that comes in pieces, wherever it is cut. Used by one thread.

    Args:
        masker: knows what is sensitive, also what becomes so on the way.
    """

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """The next piece, masked; its end may wait for what follows."""
        patterns = self._masker.patterns
        if not (patterns.forms.exact or self._held):
            return chunk
        data = self._held + chunk
        spans = patterns.spans(data)
        ready = len(data) - patterns.held(data, spans)
        self._held = data[ready:]
        return _masked(data[:ready], [span for span in spans if span[1] <= ready])

    def flush(self) -> bytes:
        """What waited; nothing follows."""
        data, self._held = self._held, b""
        return _masked(data, self._masker.patterns.spans(data))


class Scan:
    """Looks for something sensitive in data that comes in pieces. Used by one thread."""

    def __init__(self, patterns: _Patterns) -> None:
        self._patterns = patterns
        self._held = b""
        self.found = False

    def feed(self, chunk: bytes) -> None:
        """Look at the next piece; `found` says whether there was something, up to here."""
        if self.found or not self._patterns.forms.exact:
            return
        data = self._held + chunk
        spans = self._patterns.spans(data)
        self.found = bool(spans)
        self._held = data[len(data) - self._patterns.held(data, spans) :]


def _masked(data: bytes, spans: Iterable[_Span]) -> bytes:
    return b"".join(_pieces(data, spans))


def _pieces(data: bytes, spans: Iterable[_Span]) -> Iterator[bytes]:
    done = 0
    for start, end in spans:
        yield data[done:start]
        yield _BETWEEN_BREAKS.sub(MASK, data[start:end])  # lines stay lines
        done = end
    yield data[done:]


def _merged(spans: list[_Span]) -> list[_Span]:
    merged: list[_Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _origins(data: bytes) -> Callable[[int], int]:
    """From an index in the text without its line breaks to the index in the text."""
    # The n-th break stands behind so many bytes that are none.
    behind = [match.start() - count for count, match in enumerate(_BREAK.finditer(data))]
    return lambda index: index + bisect_right(behind, index)
