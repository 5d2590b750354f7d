"""The forms in which a sensitive text may show up: as it is, by its lines, in pieces, encoded, escaped.

A long text is searched for in pieces. So nothing that is searched for is long, whatever a stage printed: time and memory are
in proportion to what is learnt, and of a text that is still coming in only a few hundred bytes have to wait.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from dockercise_prefect.runtime.secrets.escapes import escaped
from dockercise_prefect.runtime.secrets.texts import texts_of

PIECE = 64
"""Bytes of a text that are searched for as one; of a longer text, pieces of this length are."""

SHORTEST_PIECE = 32
"""Bytes of a piece that ends with a line."""

OVERLAP = 2
"""Bytes that a piece has in common with the one before it: in base64 a character may belong to two bytes."""

SHORTEST_BASE64 = 5
"""Characters of a text in base64; shorter ones are in every text."""

LONGEST = 65_536
"""Bytes of a value that are searched for; what comes after them in it is not known."""

FEWEST_CHARACTERS = 4
"""Different bytes in a piece of a longer text; pieces with fewer are rules, blanks and borders of tables."""

_CONTINUES = range(0x80, 0xC0)
"""Bytes of UTF-8 that are not the first of a character."""

_URL_SAFE = bytes.maketrans(b"+/", b"-_")


Shared: TypeAlias = int
"""Which characters beside a text hold some of its bits: `ALONE`, or `BEFORE`, `AFTER`, or both."""

ALONE, BEFORE, AFTER = 0, 1, 2


def forms_of(value: bytes) -> Mapping[bytes, Shared]:
    """All forms of a value; none where it is too short or too common to be told from other text."""
    pieces = dict.fromkeys(piece for text in texts_of(value[:LONGEST].strip()) for piece in _pieces(text))
    forms: dict[bytes, Shared] = {}
    for piece in pieces:
        forms |= dict.fromkeys(escaped(piece), ALONE)
    for piece in pieces:
        for form, shared in _base64(piece):
            forms[form] = forms.get(form, ALONE) | shared
    return forms


def _pieces(text: bytes) -> Iterator[bytes]:
    """The text, or pieces that cover it; no character of UTF-8 is cut."""
    if len(text) <= PIECE:
        yield text
        return
    start = 0
    while start + PIECE < len(text):
        end = _line_end(text, start) or _character_at(text, start + PIECE)
        yield from _telling(text[start:end])
        start = _character_at(text, end - OVERLAP)
    yield from _telling(text[_character_at(text, len(text) - PIECE) :])


def _line_end(text: bytes, start: int) -> int:
    """Where the last line ends that a piece can hold, 0 where none does. So lines that repeat become equal pieces."""
    return text.rfind(b"\n", start + SHORTEST_PIECE - 1, start + PIECE) + 1


def _telling(piece: bytes) -> Iterator[bytes]:
    if len(set(piece)) >= FEWEST_CHARACTERS:
        yield piece


def _character_at(text: bytes, index: int) -> int:
    """Where the character begins that has this byte. In what is not UTF-8, the byte itself."""
    return next((index - back for back in range(4) if text[index - back] not in _CONTINUES), index)


def _base64(text: bytes) -> Iterator[tuple[bytes, Shared]]:
    """The text in base64 wherever it begins in what was encoded, without the characters that hold bits of its neighbours."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + text).rstrip(b"=")
        shared = (BEFORE if before else ALONE) | (AFTER if (before + len(text)) % 3 else ALONE)
        inner = encoded[(0, 2, 3)[before] : -1 if shared & AFTER else None]
        if len(inner) >= SHORTEST_BASE64:
            yield inner, shared
            yield inner.translate(_URL_SAFE), shared
