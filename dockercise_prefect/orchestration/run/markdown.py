"""Markdown of texts that may hold anything: they stay text, and tear nothing open. As Prefect's UI reads it (marked, GFM)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from dockercise_prefect.results.reading.terminal_text import plain_line

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>~&-])")

_HARMLESS = re.compile(r"[^\W_]([\w. -]*[^\W_])?")


def plain(text: str) -> str:
    """The text as it is, whatever it would mean in Markdown, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(plain_line(part) for part in text.split()))


def code(text: str) -> str:
    """The text in the letters of code; as plain text where it holds what would end that, or a cell of a table."""
    return plain(text) if re.search(r"[`|\r\n]", text) else f"`{text}`"


def link(text: str, url: str) -> str:
    """The text, plain, as a link, or beside one: Prefect's UI shows the backslashes that are in a link."""
    return f"[{text}](<{url}>)" if _HARMLESS.fullmatch(text) else f"{plain(text)} [↗](<{url}>)"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table; cells are Markdown."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def fenced(lines: Sequence[str]) -> Iterator[str]:
    """The lines, but for what would steer a terminal, between fences that are longer than any run of back quotes in them."""
    cleaned = [plain_line(line) for line in lines]
    longest = max((len(run) for line in cleaned for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}text"
    yield from cleaned
    yield fence
