"""Reads one test report in the form that JUnit made common, as pytest, Gradle, Jest, Go's gotestsum and many others write it.

Stages write what they like, so a report is read within limits: no entities, no deep nesting, not too many elements.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

import junitparser
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser
from junitparser.junitparser import FinalResult

from dockercise_prefect.results.tests.stage_tests import LONGEST_TEXT, Case, Outcome

MOST_ELEMENTS = 300_000
DEEPEST = 50
"""Of one report. A tree of elements takes many times more memory than its text."""

CHUNK = 65_536
"""Bytes that are parsed at once. Other threads run in between."""

_ROOTS = frozenset({"testsuite", "testsuites"})

_OUTCOMES = {junitparser.Failure: Outcome.FAILED, junitparser.Error: Outcome.ERROR, junitparser.Skipped: Outcome.SKIPPED}

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class BadReportError(ValueError):
    """The text is not a test report that can be read. The message says why, to be written after the name of the file."""


def cases_of(report: bytes) -> list[Case]:
    """The tests of a report, in its order.

    Args:
        report: the XML, in any encoding that it declares.

    Raises:
        BadReportError: it is not a test report, or it is beyond the limits.
    """
    root = _parsed(report)
    if root.tag not in _ROOTS:
        raise BadReportError(f"its root is <{root.tag[:40]}>, not <testsuites> or <testsuite>")
    # Some tools have tests directly in <testsuites>, where only a suite is expected. A suite may have both.
    return list(_cases(junitparser.TestSuite.fromelem(root), ""))  # type: ignore[no-untyped-call]


class _Bounded(TreeBuilder):
    """Builds the tree of a report, unless it gets too big."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0
        self._depth = 0

    def start(self, tag: str, attrs: dict[str, str]) -> Element:
        self._count += 1
        self._depth += 1
        if self._count > MOST_ELEMENTS:
            raise BadReportError(f"it has more than {MOST_ELEMENTS:,} elements")
        if self._depth > DEEPEST:
            raise BadReportError(f"its elements are nested more than {DEEPEST} deep")
        return super().start(tag, attrs)

    def end(self, tag: str) -> Element:
        self._depth -= 1
        return super().end(tag)


def _parsed(report: bytes) -> Element:
    parser = DefusedXMLParser(target=_Bounded())
    try:
        for start in range(0, len(report), CHUNK):
            parser.feed(report[start : start + CHUNK])
        root: Element = parser.close()
    except DefusedXmlException as error:
        raise BadReportError("it declares entities, or refers to other files") from error
    except (ParseError, LookupError, ValueError) as error:
        if isinstance(error, BadReportError):
            raise
        raise BadReportError(f"it is not complete XML ({error})") from error
    return root


def _cases(suite: junitparser.TestSuite, outer: str) -> Iterator[Case]:
    name = suite.name or outer
    for case in suite.iterchildren(junitparser.TestCase):  # type: ignore[no-untyped-call]
        yield _case(case, name)
    for inner in suite.testsuites():  # type: ignore[no-untyped-call]
        yield from _cases(inner, name)


def _case(case: junitparser.TestCase, suite: str) -> Case:
    results = sorted(case.result, key=lambda result: list(_OUTCOMES.values()).index(_OUTCOMES[type(result)]))
    outcome = _OUTCOMES[type(results[0])] if results else Outcome.PASSED
    text = "\n".join(filter(None, map(_text, results)))
    name, group = _one_line(case.name or ""), _one_line(case.classname or suite)
    return Case(name or group or "a test without a name", group, outcome, _seconds(case), text)


def _text(result: FinalResult) -> str:
    """The message, which is the best line to show alone, and the text. Many tools repeat the message in the text."""
    message, text = ((part or "").strip()[:LONGEST_TEXT] for part in (result.message, result.text))
    whole = text if text.startswith(message) else f"{message}\n{text}".strip()
    return _CONTROL.sub("", whole)


def _seconds(case: junitparser.TestCase) -> float | None:
    try:
        seconds = case.time
    except ValueError:
        return None
    return round(seconds, 3) if seconds is not None and math.isfinite(seconds) and seconds >= 0 else None


def _one_line(text: str) -> str:
    return " ".join(_CONTROL.sub(" ", text).split())
