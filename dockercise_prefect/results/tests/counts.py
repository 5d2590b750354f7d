"""How many tests a stage ran, and how they ended: the entry `tests` of a stage in `summary.json`."""

from __future__ import annotations

from dataclasses import dataclass

NAMED = 3
"""How many failed tests are named. The others are counted."""


@dataclass(frozen=True, slots=True)
class TestCounts:
    """The tests of a stage.

    Attributes:
        tests: all of them.
        failures: those that failed.
        errors: those that ended with an error, for example because their set-up failed.
        skipped: those that did not run.
        seconds: what they took together.
        failed: the names of the first of those that failed or ended with an error.
    """

    __test__ = False  # not a test of pytest

    tests: int
    failures: int = 0
    errors: int = 0
    skipped: int = 0
    seconds: float = 0.0
    failed: tuple[str, ...] = ()

    @property
    def wrong(self) -> int:
        """How many failed or ended with an error."""
        return self.failures + self.errors

    @property
    def words(self) -> str:
        """`12 tests, 1 failed, 2 skipped: test_total`."""
        parts = [f"{self.tests:,} test{'' if self.tests == 1 else 's'}"]
        parts += [f"{self.wrong:,} failed"] if self.wrong else []
        parts += [f"{self.skipped:,} skipped"] if self.skipped else []
        more = self.wrong - len(self.failed)
        names = ", ".join(self.failed) + (f" and {more:,} more" if more > 0 and self.failed else "")
        return ", ".join(parts) + (f": {names}" if names else "")
