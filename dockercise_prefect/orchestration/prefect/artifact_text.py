"""The Markdown that Prefect's UI shows for stages and runs besides their states. Pure functions, nothing is sent here."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from dockercise_prefect.orchestration.prefect.markdown import code, fenced, link, plain, table
from dockercise_prefect.pipeline import Pipeline, StageName
from dockercise_prefect.results.places.place import shown
from dockercise_prefect.results.reading.members import folded
from dockercise_prefect.results.reading.timeline import critical_path
from dockercise_prefect.results.reading.wording import MARKS, duration, shared_with, words
from dockercise_prefect.results.record.file_names import PACKED, volume_file
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.results.tests.stage_tests import StageTests
from dockercise_prefect.status import StageStatus

LONGEST_SLUG = 60
"""The maximum number of characters of a name in a key."""

MOST_ROWS = 500
"""How many stages are in the table of a run. Browsers take seconds for a table of thousands of rows."""

MOST_TESTS = 100
"""How many failed tests are in the table of a stage."""

MOST_TOLD = 5
"""How many stages have their last lines in the artifact of a run. Those of the others are one click away."""

Find = Callable[[str], str]
"""Returns the address of a file of the record."""

Pages = Mapping[str, str]
"""The addresses of the runs that stages were reused from, by their ids, as far as they are known."""

NO_PAGES: Pages = MappingProxyType({})

TASK_RUNS = "../../runs/task-run"
FLOW_RUNS = "../../runs/flow-run"
"""The paths of task runs and flow runs, relative to the pages that show artifacts. So links work at any address of the UI."""

_ORDER = (
    {StageStatus.FAILED, StageStatus.TIMED_OUT, StageStatus.ERROR},
    {StageStatus.CANCELLED, StageStatus.RUNNING},
    {StageStatus.NOT_STARTED},
)
"""The states that are shown first. All others follow in the order of the pipeline."""

_PARTS: Mapping[str, str] = {
    ".log": "log",
    ".log.zst": "log",
    ".out": "output",
    ".tar.zst": "volume",
    ".json": "JSON",
    ".tests.json": "tests",
}
"""The kinds of the files in a stage's record, by their endings."""


def run_key(pipeline: str) -> str:
    """The key of the artifact of a run. It is the same for all runs of a pipeline, so that Prefect lists them together."""
    return f"{_slug(pipeline)}-run"


def stage_key(pipeline: str, stage: StageName) -> str:
    """The key of the artifact of a stage. It is the same in all runs and unique to the stage."""
    return f"{_slug(pipeline)}-stage-{_slug(stage)}"


def stage_headline(summary: StageSummary) -> str:
    """How a stage ended, in one line: `✗ failed in 2.5 s: exit code 3`."""
    took = "" if summary.seconds is None else f" in {duration(summary.seconds)}"
    why = f": {plain(summary.headline)}" if summary.message else f", {summary.at_attempt}" if summary.at_attempt else ""
    tests = f" · {plain(summary.tests.words)}" if summary.tests is not None else ""
    return f"{_state(summary)}{took}{why}{tests}"


def stage_text(  # noqa: PLR0917  everything that is shown of a stage
    name: StageName,
    summary: StageSummary,
    tail: Sequence[str],
    files: Sequence[str],
    find: Find,
    base: StageName | None = None,
    pages: Pages = NO_PAGES,
    tests: StageTests | None = None,
) -> str:
    """The text about a stage: how it ended, where its record is, its tests, the end of its log.

    Args:
        name: the stage.
        summary: how it ended.
        tail: the last lines of its log, masked.
        files: the names of the files of its record, such as `<stage>.log`.
        find: returns the addresses of the files.
        base: the stage whose archive contains the files that both volumes have in common.
        pages: the addresses of earlier runs.
        tests: what its test reports say.
    """
    notes = {volume_file(name): f": {plain(shared_with(base))}"} if base else {}
    rows = [
        ("took", _took(summary)),
        ("exit code", _exit_code(summary)),
        ("attempts", str(summary.attempts) if summary.at_attempt else ""),
        ("message", _message(summary, pages)),
        ("approval", plain(summary.approval.in_words) if summary.approval else ""),
        ("image", code(summary.image_digest) if summary.image_digest else ""),
        *((_part(file.removeprefix(name)), _found(file, find) + notes.get(file, "")) for file in files),
    ]
    lines = [f"## {plain(name)}", "", *table(("state", _state(summary)), (row for row in rows if row[1]))]
    if tests is not None:
        lines += ["", *_tests(tests)]
    if tail:
        lines += ["", f"The last {len(tail)} lines of its log:" if len(tail) > 1 else "Its log:", "", *fenced(tail)]
    return "\n".join(lines) + "\n"


def _tests(tests: StageTests) -> Iterator[str]:
    """How many tests there are, and a table of those that failed."""
    yield f"**{plain(tests.counts.words)}**"
    rows = [
        (
            plain(case.outcome),
            plain(case.full_name),
            "" if case.seconds is None else duration(case.seconds),
            plain(case.headline),
        )
        for case in tests.wrong[:MOST_TESTS]
    ]
    if rows:
        yield from ("", *table(("state", "test", "took", "message"), rows))
    if (more := tests.counts.wrong - len(rows)) > 0:
        yield from ("", f"And {more:,} more failed tests. All of them are in the record.")
    for note in tests.left_out:
        yield from ("", plain(note))


def _part(ending: str) -> str:
    """What a file of a stage is, by what follows the stage's name: `.db.log` is the log of the service `db`."""
    return _PARTS.get(ending) or f"log of {ending.removesuffix(PACKED).removesuffix('.log').removeprefix('.')}"


def run_headline(summary: RunSummary) -> str:
    """How a run ended, in one line: `**failed** in 4.4 s: check (exit code 1)`."""
    took = "" if summary.seconds is None else f" in {duration(summary.seconds)}"
    why = f": {plain(', '.join(summary.reasons))}" if summary.reasons else ""
    return f"**{summary.status.value}**{took}{why}"


def run_text(summary: RunSummary, pipeline: Pipeline, files: Sequence[str], find: Find, pages: Pages = NO_PAGES) -> str:
    """The text about a run: all stages, failures first, their last lines, the critical path, where the record is.

    Args:
        summary: how it ended.
        pipeline: the pipeline that ran.
        files: the names of the files of the record about the whole run.
        find: returns the addresses of the files.
        pages: the addresses of earlier runs.
    """
    path = critical_path({stage.name: stage.needs for stage in pipeline}, summary.stages)
    critical = set(path)
    stages = sorted(folded(summary.stages).items(), key=lambda item: _rank(item[1]))
    rows = [
        (
            _state(stage),
            f"**{_paged(name, stage)}**" if name in critical else _paged(name, stage),
            _took(stage),
            _exit_code(stage),
            " · ".join(filter(None, (_message(stage, pages), plain(stage.tests.words) if stage.tests else ""))),
        )
        for name, stage in stages[:MOST_ROWS]
    ]
    lines = [f"## {plain(summary.pipeline)}", "", *table(("state", "stage", "took", "exit code", "message"), rows)]
    if left_out := [stage for _, stage in stages[MOST_ROWS:]]:
        lines += ["", f"And {len(left_out):,} more stages: {_counted(left_out)}. All of them are in the record."]
    for name, last in [(name, last) for name, stage in stages if (last := _last_lines(stage))][:MOST_TOLD]:
        lines += ["", f"**{plain(name)}** printed last:", "", *fenced(last)]
    if path:
        names = [*path[:MOST_ROWS], *(["…"] if len(path) > MOST_ROWS else [])]
        lines += ["", f"**Critical path** ({duration(_span(path, summary))}): {' → '.join(map(plain, names))}"]
    lines += ["", *table(("record", ""), ((plain(file), _found(file, find)) for file in files))]
    lines += ["", *fenced([f"dockercise show {summary.run_id}", f"dockercise logs {summary.run_id} STAGE"])]
    return "\n".join(lines) + "\n"


def _counted(stages: Iterable[StageSummary]) -> str:
    """How many stages ended in each way, the most frequent first: `9,400 cached, 100 passed`."""
    return ", ".join(f"{count:,} {words(status)}" for status, count in Counter(stage.status for stage in stages).most_common())


def _rank(stage: StageSummary) -> int:
    return next((index for index, statuses in enumerate(_ORDER) if stage.status in statuses), len(_ORDER))


def _span(path: Sequence[StageName], summary: RunSummary) -> float:
    return sum(summary.stages[name].seconds or 0.0 for name in path)


def _last_lines(stage: StageSummary) -> list[str]:
    """The lines at the end of the message of a stage that is to blame."""
    return (stage.message or "").strip().split("\n")[1:] if stage.status.to_blame else []


def _slug(name: str) -> str:
    """The name in lower-case letters, digits and dashes, the only characters of a key. Distinct names stay distinct."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if slug == name and len(slug) <= LONGEST_SLUG:
        return slug
    return "-".join(filter(None, (slug[:LONGEST_SLUG].strip("-"), hashlib.sha256(name.encode()).hexdigest()[:8])))


def _state(stage: StageSummary) -> str:
    return plain(f"{MARKS[stage.status]} {words(stage.status)}")


def _took(stage: StageSummary) -> str:
    return "" if stage.seconds is None else duration(stage.seconds)


def _exit_code(stage: StageSummary) -> str:
    return "" if stage.exit_code is None else str(stage.exit_code)


def _message(stage: StageSummary, pages: Pages) -> str:
    """The message. If the stage is reused, the run that it is from is a link."""
    if not stage.message:
        return ""
    run_id = stage.reused_from
    if run_id is None or run_id not in pages:
        return plain(stage.headline)
    return plain(stage.headline).replace(plain(run_id), link(run_id, pages[run_id]))


def _paged(name: StageName, stage: StageSummary) -> str:
    return link(name, f"{TASK_RUNS}/{stage.task_run_id}") if stage.task_run_id else plain(name)


def _found(file: str, find: Find) -> str:
    """A link that a browser follows; for a local file, its path, because pages from the network cannot open files."""
    url = find(file)
    return link(file, url) if url.startswith("http") else code(shown(url))
