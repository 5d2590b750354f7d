"""Reads the tests of recorded runs, to compare them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from dockercise_prefect.results.reading.recorded_run import BrokenRecordError, RecordedRun
from dockercise_prefect.results.reading.records import Records
from dockercise_prefect.results.reading.run_view import READERS, look
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.results.tests.comparison import NamedTest, RunTests, Seen
from dockercise_prefect.results.tests.stage_tests import StageTests


@dataclass(frozen=True, slots=True)
class ComparedTests:
    """The tests of one run, and those of the runs before it.

    Attributes:
        run: the run.
        stages: what the reports of its stages say.
        runs: the tests of the run and of the runs before it, newest first, without their texts.
        problems: what could not be read, one line each.
    """

    run: RecordedRun
    stages: Mapping[str, StageTests]
    runs: Sequence[RunTests]
    problems: Sequence[str]

    def message_of(self, test: NamedTest) -> str:
        """The line that the report of the run shows of a test that failed."""
        cases = self.stages[test.stage].wrong
        return next((case.headline for case in cases if case.full_name == test.name), "")


def compared_tests(run: RecordedRun, most: int) -> ComparedTests:
    """Read the tests of a run and of at most so many runs of its pipeline before it.

    Raises:
        StorageError: the place cannot be read.
    """
    view = look(run)
    earlier = [one for one in Records(run.objects, run.pipeline).runs() if one.run_id < run.run_id][:most]
    problems = [*view.problems]
    stages = _stages(run, view.stages, problems)
    newest = RunTests(
        run.run_id, None if view.summary is None else _code(run, view.summary), _tests(stages, {}), _reused(view.stages)
    )
    names: dict[NamedTest, NamedTest] = {name: name for name in newest.tests}
    with ThreadPoolExecutor(READERS) as readers:
        others = list(readers.map(lambda one: _run_tests(one, names, problems), earlier))
    return ComparedTests(run, stages, [newest, *(one for one in others if one is not None)], problems)


def _run_tests(run: RecordedRun, names: dict[NamedTest, NamedTest], problems: list[str]) -> RunTests | None:
    """The tests of a run that has ended; None if it has no tests, or cannot be read."""
    try:
        summary = run.summary()
        if summary is None or all(stage.tests is None for stage in summary.stages.values()):
            return None
        tests = _tests(_stages(run, summary.stages, problems), names)
        return RunTests(run.run_id, _code(run, summary), tests, _reused(summary.stages))
    except BrokenRecordError as error:
        problems.append(error.message)
        return None


def _stages(run: RecordedRun, stages: Mapping[str, StageSummary], problems: list[str]) -> dict[str, StageTests]:
    found: dict[str, StageTests] = {}
    for name, summary in stages.items():
        if summary.tests is not None:
            try:
                tests = run.tests(name)
            except BrokenRecordError as error:
                problems.append(error.message)
            else:
                if tests is not None:
                    found[name] = tests
    return found


def _tests(stages: Mapping[str, StageTests], names: dict[NamedTest, NamedTest]) -> dict[NamedTest, Seen]:
    """The tests by their names, which all runs share in memory. Of several tests with one name, the worst counts."""
    found: dict[NamedTest, Seen] = {}
    for stage, tests in stages.items():
        for case in tests.cases:  # failures first
            name = NamedTest(stage, case.full_name)
            found.setdefault(names.setdefault(name, name), Seen(case.outcome, case.seconds))
    return found


def _reused(stages: Mapping[str, StageSummary]) -> frozenset[str]:
    return frozenset(name for name, stage in stages.items() if stage.reused_from is not None)


def _code(run: RecordedRun, summary: RunSummary) -> str | None:
    """The digest of the code that the run had; if no stage used the code, its commit."""
    if summary.code_digest is not None:
        return summary.code_digest
    with suppress(BrokenRecordError):
        facts = run.facts()
        return None if facts is None else facts.commit
    return None
