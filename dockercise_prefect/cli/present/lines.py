"""The lines about a run, as values with text and style. Nothing is printed here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from dockercise_prefect.orchestration.run.events import EngineFound, RunStarted
from dockercise_prefect.pipeline import Stage
from dockercise_prefect.results.places.place import shown
from dockercise_prefect.results.reading.instances import Instances
from dockercise_prefect.results.reading.terminal_text import plain_line
from dockercise_prefect.results.reading.wording import MARKS, duration
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.status import RunStatus, StageStatus

WIDEST_NAME = 24
"""Names are aligned to at most this many columns. A longer name is not cut, but shifts its line."""

EDGES = 2
"""How many edges a line names. The others are counted."""

REASONS = 3
"""How many failed stages the last line names. The others are counted."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Characters with a meaning, so that colour is never the only information."""

    bar: str
    dot: str
    waiting: str
    stages: Mapping[StageStatus, str]


UNICODE = Marks(
    bar="│",
    dot="·",
    waiting=" ",
    stages=MARKS,
)
ASCII = Marks(
    bar="|",
    dot="-",
    waiting=" ",
    stages=dict(UNICODE.stages)
    | {
        StageStatus.RUNNING: ">",
        StageStatus.PASSED: "+",
        StageStatus.FAILED: "x",
        StageStatus.TIMED_OUT: "x",
        StageStatus.NOT_STARTED: ".",
        StageStatus.CANCELLED: "/",
    },
)

STYLES = {
    StageStatus.PASSED: "green",
    StageStatus.FAILED: "red",
    StageStatus.TOLERATED: "yellow",
    StageStatus.TIMED_OUT: "red",
    StageStatus.ERROR: "red",
    StageStatus.CACHED: "green",
    StageStatus.SKIPPED: "green",
    StageStatus.NOT_STARTED: "dim",
    StageStatus.CANCELLED: "yellow",
}
RUN_STYLES = {
    RunStatus.PASSED: "bold green",
    RunStatus.FAILED: "bold red",
    RunStatus.ERROR: "bold red",
    RunStatus.CANCELLED: "bold yellow",
}


def marks_for(encoding: str) -> Marks:
    """The characters that a stream of this encoding can show."""
    try:
        "".join([UNICODE.bar, UNICODE.dot, *UNICODE.stages.values()]).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def name_width(names: Iterable[str]) -> int:
    """The columns that these names need, at most `WIDEST_NAME`."""
    return min(max(map(cell_len, names), default=0), WIDEST_NAME)


def padded(name: str, width: int) -> str:
    """The name, padded to a width in columns. Characters like `☃` may need two columns."""
    return name + " " * (width - cell_len(name))


def opening_lines(run: RunStarted, engine: EngineFound | None, marks: Marks) -> Iterator[Text]:
    """The pipeline, the engine and the run's page: `hello · 6 stages · engine 20.10.24 (unix:///…) · 10 at once`."""
    count = len(run.pipeline)
    parts = [run.pipeline.name, "1 stage" if count == 1 else f"{count} stages"]
    if engine is not None:
        parts.append(f"engine {engine.version} ({engine.url})")
    parts.append(f"{run.jobs} at once")
    yield Text(plain_line(f" {marks.dot} ".join(parts)))
    if run.flow_run_url:
        yield Text(plain_line(run.flow_run_url))


def output_prefix(name: str, width: int, marks: Marks) -> str:
    """The prefix of each line that a stage printed."""
    return f"{padded(name, width)} {marks.bar} "


def stage_row(*, mark: str, name: str, width: int, took: str = "", details: str = "", style: str) -> Text:
    """One row of the table of stages."""
    row = Text()
    row.append(f"  {mark} ", style)
    row.append(f"{padded(name, width)}  {took:>6}")
    row.append(f"   {details}" if details else "", "" if style == "red" else "dim")
    row.rstrip()
    return row


def stage_lines(stage: Stage, summary: StageSummary, width: int, marks: Marks) -> Iterator[Text]:
    """How a stage ended, in one line. For our own errors, everything that is known."""
    took = "" if summary.seconds is None else duration(summary.seconds)
    yield stage_row(
        mark=marks.stages[summary.status],
        name=stage.name,
        width=width,
        took=took,
        details=_details(stage, summary),
        style=STYLES[summary.status],
    )
    if summary.status is StageStatus.ERROR:
        yield from further_lines(summary)


def instances_row(instances: Instances, width: int, marks: Marks) -> Text:
    """How the instances of a stage ended, in one line: `✗ test   20 instances: 18 passed, 2 failed`."""
    status = instances.status
    style = STYLES.get(status, "bold")
    return stage_row(mark=marks.stages[status], name=instances.stage, width=width, details=instances.counts, style=style)


def further_lines(summary: StageSummary) -> Iterator[Text]:
    """The lines of a stage's message after its first line."""
    for line in (summary.message or "").strip().splitlines()[1:]:
        yield Text(f"      {plain_line(line)}")


def last_line(summary: RunSummary, marks: Marks) -> Text:
    """`failed in 1.9 s: check (exit code 1) · results in /…`."""
    text = "" if summary.seconds is None else f" in {duration(summary.seconds)}"
    if summary.reasons:
        text += f": {reasons(summary)}"
    if summary.results:
        text += f" {marks.dot} results in {shown(summary.results)}"
    return Text.assemble((summary.status.value, RUN_STYLES[summary.status]), plain_line(text))


def reasons(summary: RunSummary) -> str:
    """Why a run did not pass, in one line; empty for a run that passed."""
    named, more = summary.reasons[:REASONS], len(summary.reasons) - REASONS
    return plain_line(", ".join(named) + (f" and {more} more" if more > 0 else ""))


def _details(stage: Stage, summary: StageSummary) -> str:
    if summary.message:
        return plain_line(summary.headline)
    match summary.status:
        case StageStatus.PASSED:
            return ", ".join(filter(None, [summary.at_attempt, _edges(stage), _approval(summary), _differs(summary)]))
        case StageStatus.FAILED if summary.exit_code is not None:
            return f"exit code {summary.exit_code}"
        case StageStatus.TOLERATED:
            return f"exit code {summary.exit_code}, tolerated (neverFail)"
        case _:
            return summary.headline


def _differs(summary: StageSummary) -> str:
    """`differs from RUN`, for a stage that was compared with what could have been reused and left something else."""
    return f"differs from {summary.audit.run_id}" if summary.audit is not None and summary.audit.difference is not None else ""


def _approval(summary: StageSummary) -> str:
    return "" if summary.approval is None else plain_line(summary.approval.in_words)


def _edges(stage: Stage) -> str:
    """The stages that a stage waited for: `after greet (env, vol), fetch (on) and 3 more`."""
    kinds: dict[str, list[str]] = {}
    for edge in stage.depends_on:
        kinds.setdefault(edge.stage, []).append(edge.kind.value)
    if not kinds:
        return ""
    named = [f"{name} ({', '.join(which)})" if which != ["after"] else name for name, which in kinds.items()]
    return "after " + ", ".join(named[:EDGES]) + (f" and {len(named) - EDGES} more" if len(named) > EDGES else "")
