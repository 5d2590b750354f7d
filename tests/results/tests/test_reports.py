"""Reports are read from the volume of a stage while it passes by, within limits, and become one value."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator

import pytest

from dockercise_prefect.archives.tarball import File, Folder, Link, tar_stream
from dockercise_prefect.results.tests import reports as limits
from dockercise_prefect.results.tests.counts import TestCounts
from dockercise_prefect.results.tests.reports import Reports
from dockercise_prefect.results.tests.stage_tests import LONGEST_TEXT, MOST_CASES, MOST_TEXT, Case, Outcome, StageTests


def report(*names: str) -> bytes:
    """A report in which tests whose names begin with `bad` have failed."""
    cases = (
        f'<testcase name="{name}">' + ("<failure message='no'/>" if name.startswith("bad") else "") + "</testcase>"
        for name in names
    )
    return f"<testsuite name='s'>{''.join(cases)}</testsuite>".encode()


def volume(files: Iterable[tuple[str, bytes]]) -> list[bytes]:
    """The volume of the stage `check` as the engine sends it."""

    def content(data: bytes) -> Callable[[], Iterator[bytes]]:
        return lambda: iter([data])

    return list(
        tar_stream(
            [Folder(path="check"), *(File(path=f"check/{path}", size=len(data), content=content(data)) for path, data in files)]
        )
    )


def collected(globs: list[str], files: Iterable[tuple[str, bytes]]) -> StageTests | None:
    """What the reports of a stage say."""
    reports = Reports(globs)
    for _ in reports.collected(volume(files), "check"):
        pass
    return reports.tests()


def test_reports_are_found_by_their_globs() -> None:
    """Git's patterns choose the reports, from `$OUT` on; what they leave out is not read."""
    files = [("a.xml", report("one")), ("out/b.xml", report("two", "bad")), ("c.txt", b"no"), ("old/d.xml", report("gone"))]

    tests = collected(["*.xml", "!old/**"], files)

    assert tests is not None
    assert tests.reports == ("a.xml", "out/b.xml")
    assert tests.counts == TestCounts(tests=3, failures=1, failed=("bad",))
    assert [case.name for case in tests.cases] == ["bad", "one", "two"]


def test_the_volume_passes_unchanged() -> None:
    """What goes into the record is byte for byte what the engine has sent."""
    files = volume([("a.xml", report("one")), ("big", b"x" * 300_000)])

    passed = b"".join(Reports(["*"]).collected(files, "check"))

    assert passed == b"".join(files)


def test_without_a_report_there_are_no_tests() -> None:
    """A stage whose globs match no file has no tests, which is not the same as a report without tests."""
    assert collected(["*.xml"], [("c.txt", b"no")]) is None
    assert collected(["*.xml"], [("a.xml", report())]) == StageTests(TestCounts(0), (), ("a.xml",))


def test_links_are_no_reports() -> None:
    """A symbolic link with the name of a report is not followed."""
    reports = Reports(["*.xml"])

    for _ in reports.collected(tar_stream([Folder(path="check"), Link(path="check/a.xml", target="/etc/passwd")]), "check"):
        pass

    assert reports.tests() is None


def test_reports_that_cannot_be_read_are_named() -> None:
    """A broken report is left out with the reason, and the others count."""
    tests = collected(["*.xml"], [("a.xml", b"<html/>"), ("b.xml", report("one"))])

    assert tests is not None
    assert (tests.counts.tests, tests.reports) == (1, ("b.xml",))
    assert tests.left_out == ("a.xml is left out: its root is <html>, not <testsuites> or <testsuite>",)


@pytest.mark.parametrize(
    ("limit", "value", "why"),
    [
        ("LARGEST", 10, "at most 10 are read"),
        ("MOST_REPORTS", 1, "at most 1 reports of a stage are read"),
        ("MOST_BYTES", 70, "at most 70 bytes of all reports of a stage are read"),
        ("MOST_TESTS", 0, "at most 0 tests of a stage are counted"),
    ],
)
def test_a_stage_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch, limit: str, value: int, why: str) -> None:
    """What is beyond a limit is left out, and said."""
    monkeypatch.setattr(limits, limit, value)

    tests = collected(["*.xml"], [("a.xml", report("one")), ("b.xml", report("two"))])

    assert tests is not None
    assert why in tests.left_out[-1]


def test_many_broken_reports_are_counted() -> None:
    """Of a thousand broken reports, twenty are named."""
    tests = collected(["*.xml"], ((f"{number}.xml", b"") for number in range(100)))

    assert tests is not None
    assert (len(tests.left_out), tests.left_out[-1]) == (21, "80 more reports are left out")


def test_json_and_back() -> None:
    """The file of the record says the same again, one test a line."""
    cases = [
        Case("a", "g", Outcome.PASSED, 0.5),
        Case("b", "", Outcome.FAILED, None, "why\n\udcff"),
        Case("c", "g", Outcome.SKIPPED),
    ]
    tests = StageTests.of(cases, ["r.xml"], ["x is left out"])

    text = tests.to_json()

    assert StageTests.from_json(json.loads(text)) == tests
    assert text.count(b"\n") == 2 + len(cases)


def test_the_record_is_bounded_and_keeps_failures() -> None:
    """Of very many tests with very long texts, all are counted, and failures are kept first."""
    passed = (Case(f"p{number}", "", Outcome.PASSED) for number in range(MOST_CASES))
    failed = (Case(f"f{number}", "", Outcome.FAILED, text="x" * 2 * LONGEST_TEXT) for number in range(1_000))

    tests = StageTests.of([*passed, *failed], [], [])

    assert (tests.counts.tests, tests.counts.failures, len(tests.cases)) == (MOST_CASES + 1_000, 1_000, MOST_CASES)
    assert len(tests.wrong) == 1_000
    assert sum(len(case.text) for case in tests.cases) <= MOST_TEXT
    assert tests.left_out == ("1,000 of 21,000 tests are only counted",)


def test_secrets_are_masked_everywhere() -> None:
    """No text of a report keeps what is secret."""
    tests = StageTests.of([Case("secret", "secret", Outcome.FAILED, None, "secret")], ["secret.xml"], ["secret is left out"])

    masked = tests.masked(lambda text: text.replace("secret", "***"))

    assert b"secret" not in masked.to_json()


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (TestCounts(1), "1 test"),
        (TestCounts(1_200, skipped=2), "1,200 tests, 2 skipped"),
        (TestCounts(12, 1, 1, failed=("a", "b")), "12 tests, 2 failed: a, b"),
        (TestCounts(12, 5, failed=("a", "b", "c")), "12 tests, 5 failed: a, b, c and 2 more"),
    ],
)
def test_counts_in_words(counts: TestCounts, words: str) -> None:
    """One line says how many tests there were, and names the first that failed."""
    assert counts.words == words
