"""Writes the host's report, when it changes and from time to time, but not too often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dockercise_prefect.aws.report import Report

LEAST_SECONDS = 5
"""SSM refuses more than a few writes in a second, for all of the account."""

MOST_SECONDS = 300
"""The command line takes a host for dead that has not written for longer than this."""


def is_due(last: Report | None, new: Report) -> bool:
    """Whether a report must be written.

    Args:
        last: what was written last; None if nothing was.
        new: what would be written now.
    """
    if last is None:
        return True
    since = new.at - last.at
    if since < 0 or since >= MOST_SECONDS:
        return True
    return since >= LEAST_SECONDS and replace(new, at=last.at) != last


class Reporter:
    """Remembers what was written last.

    Args:
        save: writes a report; raises `StorageError`.
    """

    def __init__(self, save: Callable[[Report], None]) -> None:
        self._save = save
        self._last: Report | None = None

    def tell(self, report: Report) -> None:
        """Write the report if it is due.

        Raises:
            StorageError: AWS does not answer. The next call tries again.
        """
        if is_due(self._last, report):
            self.tell_now(report)

    def tell_now(self, report: Report) -> None:
        """Write the report at once: it is the last one before the host stops.

        Raises:
            StorageError: AWS does not answer.
        """
        self._save(report)
        self._last = report
