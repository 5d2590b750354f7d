"""A run, as the presenters receive it."""

import io
from collections.abc import Iterable

from dockercise_prefect.cli.present import PlainPresenter, Presenter
from dockercise_prefect.orchestration.run.events import (
    EngineFound,
    Event,
    Notice,
    RunEnded,
    RunStarted,
    StageEnded,
    StageOutput,
    StageStarted,
)
from dockercise_prefect.pipeline import Pipeline, stage
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.status import RunStatus, StageStatus

PAGE = "http://127.0.0.1:4200/runs/flow-run/0b99b510"
FOLDER = "file:///home/me/results/hello/20261122T190312Z-7f3a"


def at(seconds: float) -> str:
    """The time this many seconds after the run began."""
    return f"2026-11-22T19:03:{12 + seconds:09.6f}+00:00"


def ended(status: StageStatus, seconds: float, *, exit_code: int | None = 0, message: str | None = None) -> StageSummary:
    """The end of a stage that began when the run began."""
    return StageSummary(status, exit_code, at(0), at(seconds), message=message)


GREET = stage("greet", image="bb:1", run="echo hello")
SHOUT = stage("shout", image="bb:1", run="…", env={"GREET": GREET.value})
CHECK = stage("check", image="bb:1", run="…", after=[SHOUT])
LINT = stage("lint", image="bb:1", run="…", never_fail=True)
PUBLISH = stage("publish", image="bb:1", run="…", after=[CHECK])
SUMMARISE = stage("summarise", image="bb:1", run="…", after=[GREET], env={"GREET": GREET.value, "SHOUT": SHOUT.value})
HELLO = Pipeline("hello", [GREET, SHOUT, CHECK, LINT, PUBLISH, SUMMARISE])
ENDS = {
    "greet": ended(StageStatus.PASSED, 0.4),
    "shout": ended(StageStatus.PASSED, 0.3),
    "check": ended(StageStatus.FAILED, 0.2, exit_code=1, message="exit code 1\ngrep: no match"),
    "lint": ended(StageStatus.TOLERATED, 0.9, exit_code=3, message="exit code 3, tolerated (neverFail)"),
    "publish": StageSummary(StageStatus.NOT_STARTED, message="not started: check failed"),
    "summarise": ended(StageStatus.PASSED, 0.4),
}

FAILED = RunSummary(
    "20261122T190312Z-7f3a", "hello", RunStatus.FAILED, None, at(0), at(1.9), None, PAGE, results=FOLDER, stages=ENDS
)


def hello_run() -> list[Event]:
    """The events of a run in which one stage fails."""
    return [
        RunStarted("20261122T190312Z-7f3a", HELLO, 10, PAGE),
        EngineFound("20.10.24", "unix:///var/run/docker.sock"),
        Notice("pulling bb:1"),
        StageStarted("greet"),
        StageOutput("greet", "stdout", "hello"),
        StageEnded("greet", ENDS["greet"]),
        StageStarted("shout"),
        StageOutput("shout", "stdout", "HELLO"),
        StageEnded("shout", ENDS["shout"]),
        StageStarted("check"),
        StageOutput("check", "stderr", "grep: no match"),
        StageEnded("check", ENDS["check"]),
        StageEnded("publish", ENDS["publish"]),
        StageStarted("lint"),
        StageEnded("lint", ENDS["lint"]),
        StageStarted("summarise"),
        StageEnded("summarise", ENDS["summarise"]),
        RunEnded(FAILED),
    ]


def show(presenter: Presenter, events: Iterable[Event]) -> None:
    """Send all events of a run to a presenter."""
    for event in events:
        presenter(event)
    presenter.close()


def plain(events: Iterable[Event]) -> str:
    """The text that the plain form writes."""
    stream = io.StringIO()
    show(PlainPresenter(stream), events)
    return stream.getvalue()
