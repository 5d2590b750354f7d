"""Excerpts of logs for pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dockercise_prefect.errors import StorageError
from dockercise_prefect.results.report.excerpt import excerpt, excerpt_of_ends

BUDGET = 400
LINES = b"".join(b"line %d\n" % number for number in range(1000))


class Log:
    """A log in pieces of 100 bytes, which counts those that are read."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.pieces = 0

    def __call__(self, start: int) -> Iterator[bytes]:
        for at in range(start, len(self.content), 100):
            self.pieces += 1
            yield self.content[at : at + 100]


@pytest.mark.parametrize("content", [b"", b" \n", b"one\ntwo\n", b"x" * BUDGET, b"x" * (BUDGET + 1), b"x" * 5000, LINES])
def test_the_ends_are_what_the_whole_log_would_show(content: bytes) -> None:
    """An excerpt is the same, whether all of the log is read for it or only its ends."""
    log = Log(content)

    found = excerpt_of_ends(log, len(content), BUDGET)

    assert found == excerpt([content], BUDGET)


def test_of_a_long_log_only_the_ends_are_read() -> None:
    """The middle of a long log is not read."""
    log = Log(LINES)

    excerpt_of_ends(log, len(LINES), BUDGET)

    assert log.pieces == BUDGET // 100


def test_a_log_that_cannot_be_read_has_no_excerpt() -> None:
    """If the place does not answer, the page has no log."""

    def lost(_start: int) -> Iterator[bytes]:
        raise StorageError("no answer")

    assert excerpt_of_ends(lost, 5000, BUDGET) is None
