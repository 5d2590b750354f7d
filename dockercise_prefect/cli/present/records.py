"""The lines about recorded runs, as values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from rich.cells import cell_len
from rich.text import Text

from dockercise_prefect.cli.present.lines import (
    RUN_STYLES,
    Marks,
    further_lines,
    instances_row,
    last_line,
    name_width,
    padded,
    reasons,
    stage_lines,
    stage_row,
)
from dockercise_prefect.cli.present.tests import count_lines
from dockercise_prefect.pipeline import Stage
from dockercise_prefect.pipeline.members import without_members
from dockercise_prefect.results.places.place import shown
from dockercise_prefect.results.reading.instances import Instances, rows
from dockercise_prefect.results.reading.run_list import Listed
from dockercise_prefect.results.reading.run_view import RunView
from dockercise_prefect.results.reading.terminal_text import plain_line
from dockercise_prefect.results.reading.wording import audited, duration, values_in_words
from dockercise_prefect.status import StageStatus

UNFINISHED = "not finished: running, or interrupted"

_HEAD = ("run", "pipeline", "status", "started (UTC)", "took", "why")


def list_lines(runs: Sequence[Listed]) -> Iterator[Text]:
    """A table of runs, in the given order."""
    rows = [_HEAD, *map(_cells, runs)]
    widths = [max(cell_len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for number, row in enumerate(rows):
        line = Text()
        for column, cell in enumerate(row):
            line.append(padded(cell, widths[column] + 2), _style(runs, number, column))
        line.rstrip()
        yield line


def run_lines(view: RunView, links: Sequence[tuple[str, str]], marks: Marks) -> Iterator[Text]:
    """How a run went, as `run` shows it at the end, and where its record is.

    Args:
        view: the run.
        links: the names of other parts of the record, and their places.
        marks: the characters for the terminal.
    """
    count = len(without_members(view.pipeline))
    head = [
        view.pipeline.name,
        view.run.run_id,
        "1 stage" if count == 1 else f"{count} stages",
        f"started {_time(view.run.began)} UTC",
    ]
    yield Text(plain_line(f" {marks.dot} ".join(head)))
    if view.summary and view.summary.flow_run_url:
        yield Text(plain_line(view.summary.flow_run_url))
    shown_rows = list(rows(view.pipeline, view.stages))
    width = name_width(row.name for row in shown_rows)
    for row in shown_rows:
        if isinstance(row, Instances):
            yield instances_row(row, width, marks)
        else:
            yield from _stage_lines(view, row, width, marks)
    yield from count_lines(view.stages)
    yield _last_line(view, marks)
    for problem in view.problems:
        yield Text(plain_line(f"note: {problem}"), "yellow")
    if values := values_in_words(view.pipeline):
        links = [("parameters", values), *links]
    if path := view.critical_path:
        took = ", ".join(f"{name} {duration(view.stages[name].seconds or 0)}" for name in path)
        links = [("critical path", took), *links]
    if audit := audited(view.stages.values()):
        links = [("audit", audit), *links]
    if links:
        yield Text()
    widest = max((len(name) for name, _ in links), default=0)
    for name, where in links:
        yield Text(plain_line(f"{name:{widest}}  {where}"))


def _cells(listed: Listed) -> tuple[str, ...]:
    summary = listed.summary
    took = duration(summary.seconds) if summary and summary.seconds is not None else ""
    why = reasons(summary) if summary else plain_line(listed.problem or "running, or interrupted")
    return (listed.run.run_id, plain_line(listed.run.pipeline), listed.status, _time(listed.run.began), took, why)


def _style(runs: Sequence[Listed], row: int, column: int) -> str:
    if row == 0:
        return "dim"
    summary = runs[row - 1].summary
    return RUN_STYLES[summary.status] if summary and _HEAD[column] == "status" else ""


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}"


def _stage_lines(view: RunView, stage: Stage, width: int, marks: Marks) -> Iterator[Text]:
    summary = view.stages.get(stage.name)
    if summary is None:
        yield stage_row(mark=marks.waiting, name=stage.name, width=width, details="waiting", style="dim")
    elif summary.status is StageStatus.RUNNING:
        mark = marks.stages[summary.status]
        yield stage_row(mark=mark, name=stage.name, width=width, details="running, or interrupted", style="bold")
    else:
        yield from stage_lines(stage, summary, width, marks)
        if summary.status.to_blame and summary.status is not StageStatus.ERROR:  # the line of an error already says everything
            yield from further_lines(summary)


def _last_line(view: RunView, marks: Marks) -> Text:
    if view.summary is not None:
        return last_line(replace(view.summary, results=view.run.url), marks)
    return Text.assemble((UNFINISHED, "bold"), plain_line(f" {marks.dot} results in {shown(view.run.url)}"))
