"""The forms in which a sensitive text may appear: as it is, line by line, in pieces, encoded, escaped.

A long text is searched for in pieces. So nothing that is searched for is long, whatever a stage printed. Time and memory are
in proportion to the size of the sensitive texts. While output is still coming in, only a few hundred bytes of it have to wait.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from dockercise_prefect.runtime.secrets.escapes import escaped
from dockercise_prefect.runtime.secrets.texts import texts_of

PIECE = 64
"""The longest text, in bytes, that is searched for as a whole. A longer text is searched for in pieces of this length."""

SHORTEST_PIECE = 32
"""The shortest piece, in bytes, that ends at the end of a line."""

OVERLAP = 2
"""Bytes by which a piece overlaps the piece before it: in base64, a character may belong to two bytes."""

SHORTEST_BASE64 = 5
"""The shortest base64 form, in characters, that is searched for. Shorter ones appear in every text."""

LONGEST = 65_536
"""Bytes of a value that are searched for. What comes after them is not searched for."""

FEWEST_CHARACTERS = 4
"""How many different bytes a piece of a longer text must have. Pieces with fewer are lines, blanks and borders of tables."""

_CONTINUES = range(0x80, 0xC0)
"""Bytes of UTF-8 that are not the first byte of a character."""

_URL_SAFE = bytes.maketrans(b"+/", b"-_")


Shared: TypeAlias = int
"""Which characters next to a text hold some of its bits: `ALONE` for none, or `BEFORE`, `AFTER`, or both."""

ALONE, BEFORE, AFTER = 0, 1, 2


def forms_of(value: bytes) -> Mapping[bytes, Shared]:
    """All forms of a value; empty if the value is too short or too common to be distinguished from other text."""
    pieces = dict.fromkeys(piece for text in texts_of(value[:LONGEST].strip()) for piece in _pieces(text))
    forms: dict[bytes, Shared] = {}
    for piece in pieces:
        forms |= dict.fromkeys(escaped(piece), ALONE)
    for piece in pieces:
        for form, shared in _base64(piece):
            forms[form] = forms.get(form, ALONE) | shared
    return forms


def _pieces(text: bytes) -> Iterator[bytes]:
    """The text, or pieces that cover it. No UTF-8 character is cut."""
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
    """The end of the last line that fits into a piece; 0 if no line fits. So lines that repeat become equal pieces."""
    return text.rfind(b"\n", start + SHORTEST_PIECE - 1, start + PIECE) + 1


def _telling(piece: bytes) -> Iterator[bytes]:
    if len(set(piece)) >= FEWEST_CHARACTERS:
        yield piece


def _character_at(text: bytes, index: int) -> int:
    """The index at which the character with this byte begins. If it is not UTF-8, the index of the byte itself."""
    return next((index - back for back in range(4) if text[index - back] not in _CONTINUES), index)


def _base64(text: bytes) -> Iterator[tuple[bytes, Shared]]:
    """The text in base64, for each position that it can have in what was encoded.

    Characters that also hold bits of the neighboring bytes are left out.
    """
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + text).rstrip(b"=")
        shared = (BEFORE if before else ALONE) | (AFTER if (before + len(text)) % 3 else ALONE)
        inner = encoded[(0, 2, 3)[before] : -1 if shared & AFTER else None]
        if len(inner) >= SHORTEST_BASE64:
            yield inner, shared
            yield inner.translate(_URL_SAFE), shared
