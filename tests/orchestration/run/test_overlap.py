"""Runs that may not overlap, on scripted engines and the session's Prefect server."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path

import pytest

from dockercise_prefect.orchestration.run.events import Event, Notice
from dockercise_prefect.orchestration.run.failure import RunFailedError
from dockercise_prefect.orchestration.run.launch import launch
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.pipeline import Pipeline, concurrency, stage
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.settings import Settings
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine

PATIENCE = 120.0


class Runs:
    """Runs of one pipeline, each in a thread and on its own engine."""

    def __init__(self, settings: Settings, root: Path, overlap: str, pool: ThreadPoolExecutor) -> None:
        a = stage("a", image=BUSYBOX, run="blocks")
        self.group = f"group-{uuid.uuid4().hex[:8]}"  # the server is shared with other tests
        self._pipeline = Pipeline("overlap", [a], concurrency=concurrency(1, group=self.group, overlap=overlap))
        self._settings = settings
        self._root = root
        self._pool = pool

    def begin(self) -> Begun:
        """Start one more run."""
        engine, said = ScriptedEngine(), list[str]()
        engine.script("blocks", Behaviour(blocks=True))

        def observe(event: Event) -> None:
            if isinstance(event, Notice):
                said.append(event.text)

        def work() -> RunSummary:
            options = RunOptions(settings=self._settings, engine=engine, observer=observe)
            try:
                return launch(self._pipeline, self._root, [], options)
            except RunFailedError as failure:
                return failure.summary

        return Begun(engine, said, self._pool.submit(copy_context().run, work))


class Begun:
    """A run that has begun."""

    def __init__(self, engine: ScriptedEngine, said: list[str], summary: Future[RunSummary]) -> None:
        self.engine = engine
        self.said = said
        self._summary = summary

    def has_started(self) -> None:
        """Wait until its stage runs."""
        self.engine.wait_until_running("blocks")

    def has_said(self, text: str) -> None:
        """Wait until it has told the user this."""
        end = threading.Event()
        for _ in range(int(PATIENCE / 0.1)):
            if any(text in line for line in self.said):
                return
            end.wait(0.1)
        raise AssertionError(f"it never said {text!r}, but {self.said}")

    def finish(self) -> None:
        """Let its stage end."""
        self.engine.container(self.engine.wait_until_running("blocks")).finish()

    @property
    def summary(self) -> RunSummary:
        """How it ended; waits for its end."""
        return self._summary.result(PATIENCE)


@pytest.fixture
def runs(prefect_api: str, settings: Settings, tmp_path: Path) -> Iterator[Callable[[str], Runs]]:
    """Runs of a pipeline of which one may go on at a time, with this `overlap`."""
    assert prefect_api
    with ThreadPoolExecutor() as pool:
        yield lambda overlap: Runs(settings, tmp_path / "root", overlap, pool)


def test_a_run_waits_for_the_one_before(runs: Callable[[str], Runs]) -> None:
    """With `wait`, the second run starts nothing until the first has ended."""
    both = runs("wait")
    first = both.begin()
    first.has_started()
    second = both.begin()
    second.has_said(f"waiting: a run of `{both.group}` is going on")
    assert second.engine.runs == []

    first.finish()
    second.finish()

    assert (first.summary.status, second.summary.status) == ("passed", "passed")


def test_a_run_is_skipped(runs: Callable[[str], Runs]) -> None:
    """With `skip`, all stages of the second run are skipped, and the run passes."""
    both = runs("skip")
    first = both.begin()
    first.has_started()

    second = both.begin().summary
    first.finish()

    assert second.status == "passed"
    assert second.stages["a"].status == "skipped"
    assert second.stages["a"].message == f"skipped: a run of `{both.group}` is going on"
    assert first.summary.status == "passed"


def test_a_run_cancels_the_one_before(runs: Callable[[str], Runs]) -> None:
    """With `cancel`, the first run is cancelled and ends as such, and the second one runs."""
    both = runs("cancel")
    first = both.begin()
    first.has_started()

    second = both.begin()
    second.has_started()
    second.finish()

    assert first.summary.status == "cancelled"
    assert second.summary.status == "passed"
    second.has_said("cancelling ")
