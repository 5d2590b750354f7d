"""`<results>/<pipeline>/index.html`: the runs of a pipeline, newest first.

The page also contains its content as data, so that the next run reads only runs that are not on the page yet. If two runs end
at the same time, one of them may be missing: the next run finds the folders of both and adds it.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from markupsafe import Markup

from dockercise_prefect.results.places.objects import NotStoredError, Objects, read
from dockercise_prefect.results.reading.records import Records
from dockercise_prefect.results.reading.run_list import UNFINISHED, Listed, listed
from dockercise_prefect.results.record.file_names import REPORT
from dockercise_prefect.results.report.pages import page

PAGE = "index.html"

MOST = 500
"""The maximum number of runs that the page lists."""

_DATA = re.compile(rb'<script type="application/json" id="runs">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Row:
    """A run in the list."""

    run_id: str
    status: str
    started: str | None
    seconds: float | None
    why: str

    @property
    def is_final(self) -> bool:
        """Whether the row will not change any more."""
        return self.status != UNFINISHED


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
    new = listed([run for run in newest if run.run_id not in known])
    known |= {one.run.run_id: row_of(one) for one in new}
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
    data = json.dumps([asdict(row) for row in rows]).replace("<", "\\u003c")  # so that no text can end the script
    escaped = Markup(data)  # noqa: S704  above
    return page("runs.html.j2", pipeline=pipeline, runs=rows, more=more, link=_report_of, data=escaped)


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
        return [_from_json(entry) for entry in json.loads(found[1])] if found else []
    except (ValueError, TypeError, KeyError):
        return []


def _from_json(entry: Mapping[str, Any]) -> Row:
    return Row(entry["run_id"], entry["status"], entry["started"], entry["seconds"], entry["why"])


def row_of(one: Listed) -> Row:
    """The row of a run."""
    summary = one.summary
    if summary is None:
        return Row(one.run.run_id, one.status, one.run.began.isoformat(), None, one.problem or "running, or interrupted")
    return Row(one.run.run_id, one.status, summary.started, summary.seconds, ", ".join(summary.reasons))
