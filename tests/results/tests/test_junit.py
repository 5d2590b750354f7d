"""Test reports of many tools are read alike, and those that were made to harm are refused."""

from __future__ import annotations

import pytest

from dockercise_prefect.results.tests.junit import DEEPEST, MOST_ELEMENTS, BadReportError, cases_of
from dockercise_prefect.results.tests.stage_tests import Case, Outcome

PYTEST = b"""<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="4" time="0.045">
<testcase classname="tests.test_cart" name="test_add" time="0.001" />
<testcase classname="tests.test_cart" name="test_total" time="0.002">
<failure message="assert 3 == 4&#10; +  where 3 = total()">def test_total():
&gt;       assert total() == 4
E       assert 3 == 4</failure></testcase>
<testcase classname="tests.test_cart" name="test_pay" time="0.000">
<skipped type="pytest.skip" message="no bank">x.py:9: no bank</skipped></testcase>
<testcase classname="tests.test_db" name="test_db" time="0.010"><error message="failed on setup">E   refused</error></testcase>
</testsuite></testsuites>"""


def test_reports_of_pytest_are_read() -> None:
    """Passed, failed, broken and skipped tests have their names, times and texts, with the message first."""
    add, total, pay, db = cases_of(PYTEST)

    assert add == Case("test_add", "tests.test_cart", Outcome.PASSED, 0.001)
    assert (total.outcome, total.headline) == (Outcome.FAILED, "assert 3 == 4")
    assert "assert total() == 4" in total.text
    assert (pay.outcome, pay.headline) == (Outcome.SKIPPED, "no bank")
    assert (db.outcome, db.full_name) == (Outcome.ERROR, "tests.test_db::test_db")


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (
            '<testsuite name="go"><testcase name="TestA" time="1,234.5"/></testsuite>',
            [Case("TestA", "go", Outcome.PASSED, 1234.5)],
        ),
        (
            '<testsuites><testcase name="of node" classname="test"/></testsuites>',
            [Case("of node", "test", Outcome.PASSED)],
        ),
        (
            '<testsuites><testsuite name="a"><testsuite name="b"><testcase name="x"/></testsuite></testsuite></testsuites>',
            [Case("x", "b", Outcome.PASSED)],
        ),
        (
            '<testsuite><testcase name="x" time="soon"><failure/><error message="e"/></testcase></testsuite>',
            [Case("x", "", Outcome.FAILED, None, "e")],
        ),
        ('<testsuite><testcase time="-1"/></testsuite>', [Case("a test without a name", "", Outcome.PASSED)]),
        ("<testsuites/>", []),
        ('<!DOCTYPE testsuite><testsuite><testcase name="\x85 x"/></testsuite>', [Case("x", "", Outcome.PASSED)]),
    ],
    ids=["suite alone", "no suite", "suites in suites", "failure and error", "no name", "no tests", "document type"],
)
def test_reports_of_other_tools_are_read(report: str, expected: list[Case]) -> None:
    """Suites may be missing or nested, times may be wrong, and the worst result of a test counts."""
    assert cases_of(report.encode()) == expected


@pytest.mark.parametrize(
    ("report", "why"),
    [
        (b"", "not complete XML"),
        (b"<testsuite><testcase", "not complete XML"),
        (b"\x89PNG\r\n", "not complete XML"),
        (b'<?xml version="1.0" encoding="of-mine"?><testsuite/>', "not complete XML"),
        (b"<html/>", "its root is <html>"),
        (b'<!DOCTYPE t [<!ENTITY a "b">]><testsuite>&a;</testsuite>', "declares entities"),
        (b'<!DOCTYPE t [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite>&a;</testsuite>', "declares entities"),
        (b"<testsuite>" * (DEEPEST + 1), "nested more than 50 deep"),
        (b"<testsuite>" + b"<a/>" * MOST_ELEMENTS, "more than 300,000 elements"),
    ],
    ids=["empty", "cut off", "no XML", "encoding", "HTML", "entity", "file", "deep", "many"],
)
def test_what_is_not_a_report_is_refused(report: bytes, why: str) -> None:
    """A file that is not a report, or that would take much memory or read other files, is refused with the reason."""
    with pytest.raises(BadReportError, match=why):
        cases_of(report)
