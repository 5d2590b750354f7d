"""Replaces sensitive texts, in all their forms, by `***` in everything that leaves the process (docs/adr/0020)."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

from dockercise_prefect.runtime.secrets.forms import ALONE, Shared, forms_of
from dockercise_prefect.runtime.secrets.search import CONTEXT, Searcher, Span, merged

MASK = b"***"

SLICE = 32_768
"""Bytes that are searched at once. Nothing else runs in this process during a search."""

_BREAKS = b"\r\n"
_BETWEEN_BREAKS = re.compile(rb"[^\r\n]+")


class Masker:
    """The sensitive texts of one run. Thread-safe. Texts may be added during the run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[bytes, Shared] = {}
        self._searcher = Searcher()

    def add(self, value: bytes) -> None:
        """Mask this value from now on. White space around it is ignored."""
        forms = forms_of(value)
        with self._lock:
            known = self._known
            fresh = {form: shared | known.get(form, ALONE) for form, shared in forms.items() if known.get(form) != shared}
            known |= fresh
            self._searcher = self._searcher.adding(fresh)

    def text(self, text: str) -> str:
        """The text with everything sensitive masked."""
        if not self._searcher:
            return text
        stream = MaskedStream(self)
        shown = stream.feed(text.encode("utf-8", "surrogatepass")) + stream.flush()
        return shown.decode("utf-8", "surrogatepass")

    def json(self, value: Any) -> Any:
        """A JSON value with all texts in it masked. The names in objects are not changed."""
        if not self._searcher:
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
        """A search for the texts that are sensitive now. Texts that are added later are not found."""
        return Scan(self._searcher)

    @property
    def searcher(self) -> Searcher:
        """A searcher for the texts that are sensitive now."""
        return self._searcher


class MaskedStream:
    """Masks text that comes in pieces, which may be cut anywhere. Used by one thread.

    Args:
        masker: knows the sensitive texts, also those that are added meanwhile.
    """

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._before = b""
        self._held = b""
        self._covered = 0  # bytes at the beginning of what is held that belong to a text that was already found
        self._in_mask = False

    def feed(self, chunk: bytes) -> bytes:
        """Take the next piece, and return what is masked so far. The end of the piece may be held back until more comes."""
        if not self._masker.searcher:
            self._before = (self._before + chunk[-CONTEXT:])[-CONTEXT:]
            return chunk
        return b"".join(map(self._feed, _slices(chunk)))

    def _feed(self, piece: bytes) -> bytes:
        data = self._before + self._held + piece
        spans, settled = self._masker.searcher.look(data)
        return self._pass_on(data, spans, settled)

    def flush(self) -> bytes:
        """Return what was held back, masked. To be called at the end of the text."""
        data = self._before + self._held
        spans, _ = self._masker.searcher.look(data)
        return self._pass_on(data, spans, len(data))

    def _pass_on(self, data: bytes, spans: list[Span], settled: int) -> bytes:
        done = len(self._before)
        ready = max(done, settled)
        if self._covered:
            spans = merged([(done, done + self._covered), *spans])
        shown: list[bytes] = []
        self._covered = 0
        for begin, end in spans:
            start, stop = max(begin, done), min(end, ready)
            self._covered = max(self._covered, end - ready) if begin <= ready else self._covered
            if start < stop:
                shown += (self._plain(data[done:start]), self._masked(data[start:stop]))
                done = stop
        shown.append(self._plain(data[done:ready]))
        self._before, self._held = data[max(0, ready - CONTEXT) : ready], data[ready:]
        return b"".join(shown)

    def _plain(self, data: bytes) -> bytes:
        if data:
            self._in_mask = False
        return data

    def _masked(self, data: bytes) -> bytes:
        """The data with each line masked, so that lines stay lines. Data that continues a mask gets no second mask."""
        masked = _BETWEEN_BREAKS.sub(MASK, data)
        goes_on = self._in_mask and data[0] not in _BREAKS
        self._in_mask = data[-1] not in _BREAKS
        return masked[len(MASK) :] if goes_on else masked


class Scan:
    """Looks for something sensitive in data that comes in pieces. Used by one thread."""

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher
        self._rest = b""
        self.found = False

    def feed(self, chunk: bytes) -> None:
        """Search the next piece. `found` says whether something sensitive was found so far."""
        for piece in _slices(chunk) if self._searcher else ():
            if self.found:
                return
            data = self._rest + piece
            spans, settled = self._searcher.look(data)
            self.found = bool(spans)
            self._rest = data[max(0, settled - CONTEXT) :]


def _slices(data: bytes) -> Iterator[bytes]:
    return (data[start : start + SLICE] for start in range(0, len(data), SLICE))
