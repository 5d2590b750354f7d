"""Builds Markdown from arbitrary texts, which cannot break its structure. For the parser of Prefect's UI (marked, GFM)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from dockercise_prefect.results.reading.terminal_text import plain_line

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>~&-])")

_HARMLESS = re.compile(r"[^\W_]([\w. -]*[^\W_])?")


def plain(text: str) -> str:
    """The text on one line, with all Markdown in it escaped."""
    return _SPECIAL.sub(r"\\\1", " ".join(plain_line(part) for part in text.split()))


def code(text: str) -> str:
    """The text as code; as plain text if it contains something that would end the code or a cell of a table."""
    return plain(text) if re.search(r"[`|\r\n]", text) else f"`{text}`"


def link(text: str, url: str) -> str:
    """The plain text as a link. If it needs escapes, the link is next to it: Prefect's UI shows the backslashes in a link."""
    return f"[{text}](<{url}>)" if _HARMLESS.fullmatch(text) else f"{plain(text)} [↗](<{url}>)"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table. The cells are Markdown."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def fenced(lines: Sequence[str]) -> Iterator[str]:
    """The lines, without control sequences for terminals, between fences longer than any run of back quotes in the lines."""
    cleaned = [plain_line(line) for line in lines]
    longest = max((len(run) for line in cleaned for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}text"
    yield from cleaned
    yield fence
