"""Collects the test reports of one stage while its volume is read for the record anyway."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dockercise_prefect.archives.tarball import members
from dockercise_prefect.globs import Globs
from dockercise_prefect.results.tests.junit import BadReportError, cases_of
from dockercise_prefect.results.tests.stage_tests import Case, StageTests

LARGEST = 20 * 1024 * 1024
"""Bytes of the largest report that is read."""

MOST_BYTES = 100 * 1024 * 1024
MOST_REPORTS = 1_000
MOST_TESTS = 200_000
"""Of all reports of a stage together. No report is begun after one that exceeds a limit."""

MOST_NOTES = 20
"""How many reports that cannot be read are named. The others are counted."""


class Reports:
    """The test reports in the volume of one stage.

    Args:
        globs: which files are reports: git's patterns, from `$OUT` on.
    """

    def __init__(self, globs: Sequence[str]) -> None:
        self._globs = Globs(globs)
        self._cases: list[Case] = []
        self._read: list[str] = []
        self._notes: list[str] = []
        self._found = 0
        self._bytes = 0

    def collected(self, files: Iterable[bytes], stage: str) -> Iterator[bytes]:
        """The same tar stream, whose paths begin with the stage's name. The reports in it are read.

        Raises:
            tarfile.TarError: the stream is not an archive.
        """
        chunks: list[bytes] = []

        def reading() -> Iterator[bytes]:
            for chunk in files:
                chunks.append(chunk)
                yield chunk

        def passed_on() -> Iterator[bytes]:
            those = chunks[:]
            chunks.clear()
            yield from those

        for member, content in members(reading()):
            path = member.name.removeprefix(f"{stage}/")
            is_report = member.isreg() and self._globs.takes(path) and self._is_wanted(path, member.size)
            report = bytearray()
            for piece in content:
                if is_report:
                    report += piece
                yield from passed_on()
            if is_report:
                self._add(path, bytes(report))
            yield from passed_on()
        yield from passed_on()

    def tests(self) -> StageTests | None:
        """What the reports say; None if there is no report."""
        if not self._found:
            return None
        notes = self._notes[:MOST_NOTES]
        if len(self._notes) > MOST_NOTES:
            notes.append(f"{len(self._notes) - MOST_NOTES:,} more reports are left out")
        return StageTests.of(self._cases, self._read, notes)

    def _is_wanted(self, path: str, size: int) -> bool:
        self._found += 1
        self._bytes += size
        if size > LARGEST:
            why = f"it has {size:,} bytes; at most {LARGEST:,} are read"
        elif self._found > MOST_REPORTS:
            why = f"at most {MOST_REPORTS:,} reports of a stage are read"
        elif self._bytes > MOST_BYTES:
            why = f"at most {MOST_BYTES:,} bytes of all reports of a stage are read"
        elif len(self._cases) > MOST_TESTS:
            why = f"at most {MOST_TESTS:,} tests of a stage are counted"
        else:
            return True
        self._notes.append(f"{path} is left out: {why}")
        return False

    def _add(self, path: str, report: bytes) -> None:
        try:
            self._cases += cases_of(report)
        except BadReportError as error:
            self._notes.append(f"{path} is left out: {error}")
        else:
            self._read.append(path)
