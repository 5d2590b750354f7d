"""The sensitive texts in a value: the value itself, its lines, what the lines assign to a name, and texts in JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice

SHORTEST = 4
"""The shortest value, in characters, that is masked. Shorter ones are in every text, and masking them would reveal them."""

SHORTEST_PART = 8
"""The shortest line, or text in JSON, that is searched for by itself, in characters."""

FEWEST_DIGITS = 6
"""The shortest number that is masked, in digits, if a value is only a number. Shorter ones are counts, ports and years."""

MOST_PARTS = 500
"""How many lines, or texts in JSON, of one value are searched for by themselves. More would make each search slow."""

COMMON = frozenset(
    """
    admin debug default disabled done enabled error false http https info json localhost main master name nil none null okay
    root test text true undefined user warn warning yaml yes
    """.split()  # noqa: SIM905  a list of words is read as words
)
"""Values that reveal nothing, since they are common."""

_LONGEST_COMMON = max(map(len, COMMON))

_PEM = re.compile(rb"-----(BEGIN|END) [A-Z0-9 ]+-----")
_ASSIGNMENT = re.compile(rb"(?:export\s+|-\s+)?(?P<quote>[\"']?)[A-Za-z_][A-Za-z0-9_.-]*(?P=quote)\s*[=:]\s*(?P<text>\S.*)")
_QUOTED = re.compile(rb"(?P<quote>[\"'])(?P<text>.*)(?P=quote),?")

_BEGINS_JSON = frozenset({b"{", b"[", b'"'})


def texts_of(value: bytes) -> Iterator[bytes]:
    """The value, and the texts in it that are searched for by themselves.

    There are none if the value is too short or too common to be distinguished from other text.
    """
    if len(value) < SHORTEST or _is_common(value) or (value.isdigit() and len(value) < FEWEST_DIGITS):
        return
    yield value
    for part in islice(_parts(value), MOST_PARTS):
        if len(part) >= SHORTEST_PART and re.search(rb"\w", part) and not _is_common(part):
            yield part


def _is_common(text: bytes) -> bool:
    # One repeated character is a separator line or a placeholder. It would be found again at each of its characters.
    if text == text[:1] * len(text):
        return True
    return len(text) <= _LONGEST_COMMON and text.decode("utf-8", "replace").casefold() in COMMON


def _parts(value: bytes) -> Iterator[bytes]:
    """The texts in a JSON value. For another value: the texts in each line that is JSON, else the line and what it assigns."""
    leaves = _leaves(value)
    if leaves is not None:
        yield from leaves
        return
    for line in map(bytes.strip, value.splitlines()):
        if _PEM.fullmatch(line):  # every key has such a line
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
    """The texts in a JSON value, since its lines are mostly names, which are not secret. None if it is not JSON."""
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
