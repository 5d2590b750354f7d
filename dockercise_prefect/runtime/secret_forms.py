"""The forms in which a sensitive text may show up: as it is, by its lines, encoded, escaped.

A text is searched for as it stands, line breaks included; where it is base64, also over line breaks that tools put in.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from urllib.parse import quote, quote_plus

SHORTEST = 4
"""Characters of a whole value; what is shorter is in every text, and masking it would spell it out."""

SHORTEST_PART = 8
"""Characters of a line, or of a text in JSON, that is searched for by itself."""

FEWEST_DIGITS = 6
"""Of a value that is nothing but a number: shorter ones are counts, ports and years."""

LONGEST = 65_536
"""Bytes of a value that is searched for; what comes after them in it is not known."""

MOST_PARTS = 500
"""Lines, or texts in JSON, of one value that are searched for by themselves; more would make each search slow."""

COMMON = frozenset(
    """
    admin debug default disabled done enabled error false http https info json localhost main master name nil none null okay
    root test text true undefined user warn warning yaml yes
    """.split()  # noqa: SIM905  a list of words is read as words
)
"""Values that say nothing about what they are the value of."""

_PEM = re.compile(rb"-----(BEGIN|END) [A-Z0-9 ]+-----")
_ASSIGNMENT = re.compile(rb"(?:export\s+|-\s+)?(?P<quote>[\"']?)[A-Za-z_][A-Za-z0-9_.-]*(?P=quote)\s*[=:]\s*(?P<text>\S.*)")
_QUOTED = re.compile(rb"(?P<quote>[\"'])(?P<text>.*)(?P=quote),?")

_BEGINS_JSON = frozenset({b"{", b"[", b'"'})

_UNRESERVED = {"RFC 3986": "", "a path": "/", "JavaScript": "!'()*"}
"""What the usual functions leave as it is besides letters, digits and `-._~`."""


@dataclass(frozen=True, slots=True)
class Forms:
    """What to search for.

    Attributes:
        exact: byte for byte.
        wrapped: also where line breaks stand in between.
    """

    exact: frozenset[bytes] = field(default_factory=frozenset)
    wrapped: frozenset[bytes] = field(default_factory=frozenset)

    def __or__(self, other: Forms) -> Forms:
        return Forms(self.exact | other.exact, self.wrapped | other.wrapped)


def forms_of(value: bytes) -> Forms:
    """All forms of a value; none where it is too short or too common to be told from other text."""
    texts = set(_texts(value[:LONGEST].strip()))
    exact = {form for text in texts for form in _escaped(text)}
    wrapped = {form for text in texts for form in _base64(text)}
    return Forms(frozenset(exact), frozenset(wrapped))


def _texts(value: bytes) -> Iterator[bytes]:
    if len(value) < SHORTEST or _is_common(value) or (value.isdigit() and len(value) < FEWEST_DIGITS):
        return
    yield value
    for part in islice(_parts(value), MOST_PARTS):
        if len(part) >= SHORTEST_PART and re.search(rb"\w", part) and not _is_common(part):
            yield part


def _is_common(text: bytes) -> bool:
    # One character again and again is a rule or a placeholder; it would be found anew at each of its characters.
    return text == text[:1] * len(text) or text.decode("utf-8", "replace").casefold() in COMMON


def _parts(value: bytes) -> Iterator[bytes]:
    """The texts in a value that is JSON; of any other, those in each line, or the line and what it sets something to."""
    leaves = _leaves(value)
    if leaves is not None:
        yield from leaves
        return
    for line in map(bytes.strip, value.splitlines()):
        if _PEM.fullmatch(line):  # every key has it
            continue
        leaves = _leaves(line)
        yield from leaves or _of_a_line(line)


def _of_a_line(line: bytes) -> Iterator[bytes]:
    yield line
    assigned = _ASSIGNMENT.fullmatch(line)
    text = assigned["text"] if assigned else line
    quoted = _QUOTED.fullmatch(text)
    if quoted or assigned:
        yield quoted["text"] if quoted else text


def _leaves(value: bytes) -> list[bytes] | None:
    """The texts in a JSON value; its lines are mostly names, which are no secret. None where it is no JSON."""
    if value[:1] not in _BEGINS_JSON:
        return None
    try:
        open_values = [json.loads(value)]
    except (ValueError, RecursionError):
        return None
    found: list[bytes] = []
    while open_values:
        match open_values.pop():
            case str() as text:
                found.append(text.encode("utf-8", "surrogatepass").strip())
            case list() as items:
                open_values.extend(items)
            case dict() as entries:
                open_values.extend(entries.values())
            case _:
                pass
    return found


def _escaped(text: bytes) -> Iterator[bytes]:
    yield text
    if b"\n" in text:
        yield re.sub(rb"\r?\n", b"\r\n", text)
    for kept in _UNRESERVED.values():
        yield from _both_cases(quote(text, safe=kept))
    yield from _both_cases(quote_plus(text))
    if b"'" in text:  # as a shell writes it between single quotes
        yield text.replace(b"'", b"'\\''")
        yield text.replace(b"'", b"'\"'\"'")
    try:
        characters = text.decode()
    except UnicodeDecodeError:
        return
    for ascii_only in (True, False):
        escaped = json.dumps(characters, ensure_ascii=ascii_only)[1:-1].encode()
        yield escaped
        yield escaped.replace(b"/", b"\\/")
        yield re.sub(rb"[&<>]", lambda match: b"\\u%04x" % ord(match[0]), escaped)  # as Go does
    yield html.escape(characters).encode()


def _both_cases(quoted: str) -> Iterator[bytes]:
    yield quoted.encode()
    yield re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), quoted).encode()


def _base64(text: bytes) -> Iterator[bytes]:
    """The text in base64 wherever it begins in what was encoded, without the characters that hold bits of its neighbours."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + text).rstrip(b"=")
        first = (0, 2, 3)[before]
        last = len(encoded) - (1 if (before + len(text)) % 3 else 0)
        inner = encoded[first:last]
        if len(inner) > SHORTEST:
            yield inner
            yield inner.translate(bytes.maketrans(b"+/", b"-_"))
