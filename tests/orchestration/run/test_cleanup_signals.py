"""Signals that come while a run is already ending."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prefect import flow

from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.orchestration.run.cleanup_signals import STILL_REMOVING
from dockercise_prefect.orchestration.run.events import Event, Notice
from dockercise_prefect.orchestration.run.failure import RunFailedError
from dockercise_prefect.orchestration.run.launch import launch
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.orchestration.run.run import run_pipeline
from dockercise_prefect.pipeline import Pipeline, stage
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.runtime.engine import EngineInfo, Leftover
from dockercise_prefect.settings import read_settings
from dockercise_prefect.signals import interruptions
from dockercise_prefect.status import RunStatus
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine

pytestmark = pytest.mark.docker  # for the Prefect server: the engine is scripted

PIPELINE = Pipeline("tidy", [stage("a", image=BUSYBOX, run="true")])


class ImpatientUser(ScriptedEngine):
    """A user presses Ctrl-C when the run requests its leftovers from the engine.

    Args:
        presses: the number of times, one right after the other.
    """

    def __init__(self, presses: int) -> None:
        super().__init__()
        self._presses = presses

    def leftovers(self) -> list[Leftover]:
        """Called once before the run for the leftovers of others, then in the run's clean-up."""
        found = super().leftovers()
        while self.runs and self._presses:
            self._presses -= 1
            signal.raise_signal(signal.SIGINT)
        return found


@pytest.fixture
def options(prefect_api: str, data_folder: Path, tmp_path: Path) -> RunOptions:
    """Results go to the test's folder, and the server is that of the session."""
    return RunOptions(settings=replace(read_settings(), results=str(tmp_path / "results"), data=data_folder))


def test_one_signal_does_not_break_the_clean_up_off(options: RunOptions, tmp_path: Path) -> None:
    """The user is asked for patience, the run ends as without the signal, and nothing is left on the engine."""
    engine = ImpatientUser(presses=1)
    events: list[Event] = []

    launch(PIPELINE, tmp_path / "root", (), replace(options, engine=engine, observer=events.append))

    assert Notice(STILL_REMOVING) in events
    assert engine.leftovers() == []


def test_a_second_signal_ends_the_clean_up(options: RunOptions, tmp_path: Path) -> None:
    """The process ends immediately, the run counts as interrupted, and its leftovers wait for the next run."""
    engine = ImpatientUser(presses=2)

    with pytest.raises(RunFailedError) as failed:
        launch(PIPELINE, tmp_path / "root", (), replace(options, engine=engine))

    assert failed.value.exit_status == ExitStatus.INTERRUPTED


class ClosedTerminal(ScriptedEngine):
    """The terminal is closed when the run has begun to make things on the engine."""

    def info(self) -> EngineInfo:
        """Called in the run, before anything is made."""
        signal.raise_signal(signal.SIGHUP)
        return super().info()


@pytest.fixture
def with_terminal() -> Iterator[None]:
    """The test does not run under nohup, and a SIGHUP that nobody catches does not end it."""
    usual = signal.signal(signal.SIGHUP, lambda _number, _frame: None)
    yield
    signal.signal(signal.SIGHUP, usual)


@pytest.mark.parametrize("as_module", [False, True])
def test_the_end_of_the_terminal_ends_a_run_that_prepares(
    options: RunOptions, tmp_path: Path, with_terminal: None, as_module: bool
) -> None:
    """SIGHUP before the first stage is an interruption like any other: it is reported and recorded, and nothing is left."""
    del with_terminal
    engine = ClosedTerminal()
    told = replace(options, engine=engine)

    @flow(name="tidy")
    def compiled() -> RunSummary:
        return run_pipeline(PIPELINE, root=tmp_path / "root", options=told)

    with pytest.raises(RunFailedError) as failed:
        _ = compiled() if as_module else launch(PIPELINE, tmp_path / "root", (), told)

    assert failed.value.exit_status == ExitStatus.INTERRUPTED
    assert failed.value.summary.flow_run_id is not None
    assert engine.runs == []
    assert engine.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_the_flow_run_begins(
    options: RunOptions, tmp_path: Path, with_terminal: None, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """The run was cancelled before it began, and reports that."""
    del with_terminal

    def interrupted(_settings: object) -> None:
        signal.raise_signal(number)

    monkeypatch.setattr("dockercise_prefect.orchestration.run.launch.connect_engine", interrupted)

    with pytest.raises(RunFailedError) as failed:
        launch(PIPELINE, tmp_path / "root", (), options)

    assert failed.value.exit_status == ExitStatus.INTERRUPTED
    assert failed.value.summary.status is RunStatus.CANCELLED


class StubbornEngine(ScriptedEngine):
    """Containers on this engine ignore SIGTERM, however long the grace is."""

    def stop(self, container: str, grace: float) -> None:
        """End the container only for a kill."""
        if grace == 0:
            super().stop(container, grace)


@pytest.mark.timeout(60)
def test_a_signal_kills_what_fail_fast_has_asked_to_end(options: RunOptions, tmp_path: Path) -> None:
    """Stages next to a failed one have got SIGTERM already, so the first Ctrl-C counts as the second signal and kills them."""
    engine = StubbornEngine()
    engine.script("endless", Behaviour(blocks=True))

    def wait(_container: object) -> None:
        engine.wait_until_running("endless")

    engine.script("wait-and-fail", Behaviour(exit_code=1, action=wait))
    pipeline = Pipeline("fast", [stage(name, image=BUSYBOX, run=name) for name in ("endless", "wait-and-fail")])

    def press(event: Event) -> None:
        if isinstance(event, Notice) and event.text.startswith("wait-and-fail failed"):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(RunFailedError) as failed:
        launch(pipeline, tmp_path / "root", (), replace(options, engine=engine, fail_fast=True, observer=press))

    assert failed.value.exit_status == ExitStatus.INTERRUPTED
    assert engine.leftovers() == []


def test_the_end_of_the_terminal_does_not_matter_to_nohup() -> None:
    """SIGHUP asks a run to end, as SIGTERM does, unless the process was started to outlive its terminal."""
    usual = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with_terminal = interruptions()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with_nohup = interruptions()
    finally:
        signal.signal(signal.SIGHUP, usual)

    assert with_terminal == (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    assert with_nohup == (signal.SIGINT, signal.SIGTERM)
