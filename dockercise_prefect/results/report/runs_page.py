"""`<results>/<pipeline>/index.html`: the runs of a pipeline, newest first, and how their stages ended.

The page also contains its content as data, so that the next run reads only runs that are not on the page yet. If two runs end
at the same time, one of them may be missing: the next run finds the folders of both and adds it.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from typing import Any

from markupsafe import Markup

from dockercise_prefect.pipeline import StageName
from dockercise_prefect.pipeline.run_context import RunContext
from dockercise_prefect.results.places.objects import NotStoredError, Objects, read
from dockercise_prefect.results.reading.recorded_run import BrokenRecordError, RecordedRun
from dockercise_prefect.results.reading.records import Records
from dockercise_prefect.results.reading.run_list import UNFINISHED, Listed, listed
from dockercise_prefect.results.reading.run_view import READERS
from dockercise_prefect.results.reading.wording import duration
from dockercise_prefect.results.record.file_names import REPORT
from dockercise_prefect.results.report.grid import Grid
from dockercise_prefect.results.report.pages import page
from dockercise_prefect.results.report.run_page import stage_anchor
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.status import StageStatus

PAGE = "index.html"

MOST = 500
"""The maximum number of runs that the page lists."""

MOST_STAGES = 1_000
"""Of how many stages of a run the page knows how they ended."""

REASONS = 5
"""How many reasons are named why a run did not pass. The others are counted."""

COMMIT = 12
"""How many digits of a commit are shown."""

SCRIPT = "grid.js"

_LETTERS = {
    StageStatus.PASSED: "p",
    StageStatus.FAILED: "f",
    StageStatus.TOLERATED: "t",
    StageStatus.TIMED_OUT: "o",
    StageStatus.ERROR: "e",
    StageStatus.CACHED: "c",
    StageStatus.SKIPPED: "s",
    StageStatus.NOT_STARTED: "n",
    StageStatus.CANCELLED: "x",
    StageStatus.RUNNING: "r",
}
_STATES = {letter: status for status, letter in _LETTERS.items()}
"""How the data of the page writes states."""

_DATA = re.compile(rb'<script type="application/json" id="runs">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Row:
    """A run in the grid.

    Attributes:
        why: why it did not pass, in one line.
        commit: the id of the code's commit; empty if it is not known, like `ref` and `event`.
        ref: the branch, or the tag.
        event: how the run began.
        stages: how its stages ended.
    """

    run_id: str
    status: str
    started: str | None
    seconds: float | None
    why: str
    commit: str = ""
    ref: str = ""
    event: str = ""
    stages: Mapping[StageName, StageStatus] = field(default_factory=dict)

    @property
    def is_final(self) -> bool:
        """Whether the row will not change any more."""
        return self.status != UNFINISHED

    @property
    def facts(self) -> list[str]:
        """What is said of the run besides its state."""
        took = "" if self.seconds is None else duration(self.seconds)
        return [fact for fact in (self.commit[:COMMIT], self.ref, self.event.replace("_", " "), took) if fact]


def update_runs_page(objects: Objects, pipeline: str) -> None:
    """Write the page again, and add the runs that are not on it yet.

    Args:
        objects: the place of all results.
        pipeline: the pipeline of the runs.

    Raises:
        StorageError: the place cannot be read or written.
    """
    known = {row.run_id: row for row in _known(objects, pipeline) if row.is_final}
    runs = Records(objects, pipeline).runs()
    newest = runs[:MOST]
    known |= {row.run_id: row for row in rows_of([run for run in newest if run.run_id not in known])}
    text = runs_page(pipeline, [known[run.run_id] for run in newest], more=len(runs) - len(newest))
    objects.put(f"{pipeline}/{PAGE}", io.BytesIO(text.encode("utf-8", "replace")))


def runs_page(pipeline: str, rows: Iterable[Row], *, more: int) -> str:
    """The page.

    Args:
        pipeline: the name of the pipeline.
        rows: the rows, newest first.
        more: how many runs are older than these.
    """
    rows = list(rows)
    data = json.dumps(_to_json(rows), separators=(",", ":")).replace("<", "\\u003c")  # so that no text can end the script
    escaped = Markup(data)  # noqa: S704  above
    return page("runs.html.j2", (SCRIPT,), **grid_of(pipeline, rows), more=more, link=_report_of, data=escaped)


def grid_of(pipeline: str, rows: Sequence[Row]) -> dict[str, Any]:
    """The variables of a template that shows the grid of these runs."""
    return {"pipeline": pipeline, "runs": rows, "grid": Grid.of([row.stages for row in rows]), "anchor": stage_anchor}


def rows_of(runs: Sequence[RecordedRun]) -> list[Row]:
    """The rows of these runs, in the same order.

    Raises:
        StorageError: the place cannot be read.
    """
    with ThreadPoolExecutor(READERS) as readers:
        contexts = list(readers.map(_context, runs))
    return [row_of(one, context) for one, context in zip(listed(runs), contexts, strict=True)]


def row_of(one: Listed, context: RunContext | None) -> Row:
    """The row of a run. `context` is what the run knew of git; None if that is not known."""
    summary = one.summary
    if summary is None:
        row = Row(one.run.run_id, one.status, one.run.began.isoformat(), None, one.problem or "running, or interrupted")
    else:
        shown, more = summary.reasons[:REASONS], len(summary.reasons) - REASONS
        why = ", ".join(shown) + (f" and {more} more" if more > 0 else "")
        row = Row(one.run.run_id, one.status, summary.started, summary.seconds, why, stages=_stages(summary))
    if context is None:
        return row
    return replace(row, commit=context.commit, ref=context.branch or context.tag, event=context.event.value)


def _context(run: RecordedRun) -> RunContext | None:
    with suppress(BrokenRecordError):
        facts = run.facts()
        return None if facts is None else facts.git
    return None


def _stages(summary: RunSummary) -> dict[StageName, StageStatus]:
    """How the stages ended, of very many stages first those to blame."""
    found = {name: stage.status for name, stage in summary.stages.items()}
    if len(found) <= MOST_STAGES:
        return found
    chosen = set(sorted(found, key=lambda name: not found[name].to_blame)[:MOST_STAGES])
    return {name: status for name, status in found.items() if name in chosen}


def _report_of(row: Row) -> str | None:
    """The link to the page of a run, which is written when the run ends."""
    return f"{row.run_id}/{REPORT}" if row.is_final else None


def _known(objects: Objects, pipeline: str) -> list[Row]:
    """The rows of the existing page; empty if there is no page, or if its data cannot be read."""
    try:
        found = _DATA.search(read(objects, f"{pipeline}/{PAGE}"))
    except NotStoredError:
        return []
    try:
        return _from_json(json.loads(found[1])) if found else []
    except (AttributeError, ValueError, TypeError, KeyError, IndexError):
        return []


def _to_json(rows: Sequence[Row]) -> dict[str, Any]:
    """The rows as data. The names of stages are there once, and each run has one letter for each of them."""
    names = list(dict.fromkeys(name for row in rows for name in row.stages))
    entries = []
    for row in rows:
        letters = "".join(_LETTERS[row.stages[name]] if name in row.stages else " " for name in names)
        entry = {one.name: getattr(row, one.name) for one in fields(Row) if one.name != "stages"}
        entries.append({**entry, "stages": letters.rstrip()})
    return {"stages": names, "runs": entries}


def _from_json(data: Mapping[str, Any]) -> list[Row]:
    names: list[StageName] = data["stages"]

    def row(entry: Mapping[str, Any]) -> Row:
        letters = zip(names, entry["stages"], strict=False)
        return Row(**{**entry, "stages": {name: _STATES[letter] for name, letter in letters if letter != " "}})

    return [row(entry) for entry in data["runs"]]
