"""`<results>/<pipeline>/index.html`: the runs of a pipeline, newest first.

The page holds what it says as data too, so that the next run reads only what the page does not know yet. Two runs that end at
once heal each other: whoever comes next finds the folders of both.
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
from dockercise_prefect.results.report.pages import page

PAGE = "index.html"

MOST = 500
"""Runs that the page lists."""

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
        """Whether it will be the same the next time."""
        return self.status != UNFINISHED


def update_runs_page(objects: Objects, pipeline: str) -> None:
    """Write the page anew, with the runs that it does not know.

    Args:
        objects: the place of all results.
        pipeline: whose runs.

    Raises:
        StorageError: the place cannot be read or written.
    """
    known = {row.run_id: row for row in _known(objects, pipeline) if row.is_final}
    runs = Records(objects, pipeline).runs()
    newest = runs[:MOST]
    new = listed([run for run in newest if run.run_id not in known])
    known |= {one.run.run_id: _row(one) for one in new}
    text = runs_page(pipeline, [known[run.run_id] for run in newest], more=len(runs) - len(newest))
    objects.put(f"{pipeline}/{PAGE}", io.BytesIO(text.encode("utf-8", "replace")))


def runs_page(pipeline: str, rows: Iterable[Row], *, more: int) -> str:
    """The page.

    Args:
        pipeline: its name.
        rows: newest first.
        more: runs that are older than these.
    """
    rows = list(rows)
    data = json.dumps([asdict(row) for row in rows]).replace("<", "\\u003c")  # no text ends the script
    return page("runs.html.j2", pipeline=pipeline, runs=rows, more=more, data=Markup(data))  # noqa: S704  escaped above


def _known(objects: Objects, pipeline: str) -> list[Row]:
    """What the page says that is there; nothing where there is none, or one that we do not understand."""
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


def _row(one: Listed) -> Row:
    summary = one.summary
    if summary is None:
        return Row(one.run.run_id, one.status, one.run.began.isoformat(), None, one.problem or "running, or interrupted")
    return Row(one.run.run_id, one.status, summary.started, summary.seconds, ", ".join(summary.reasons))
