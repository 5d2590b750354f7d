"""Stages of several runs that take turns, on scripted engines and the session's Prefect server."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from dockercise_prefect.orchestration.concurrency import turns
from dockercise_prefect.orchestration.run.events import Event, Notice
from dockercise_prefect.orchestration.run.launch import launch
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.pipeline import Pipeline, at_once, stage
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.settings import Settings
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine

PATIENCE = 120.0


class Run:
    """A run with a stage that takes turns and goes on until `finish`, on an engine of its own."""

    def __init__(self, settings: Settings, root: Path, group: str, pool: ThreadPoolExecutor) -> None:
        self.engine = ScriptedEngine()
        self.engine.script("blocks", Behaviour(blocks=True))
        self.waits = threading.Event()
        other = stage("other", image=BUSYBOX, run="x")
        pipeline = Pipeline("turns", [stage("deploy", image=BUSYBOX, run="blocks", concurrency=at_once(group, 1)), other])
        options = RunOptions(settings=settings, engine=self.engine, observer=self.observe)
        self._summary: Future[RunSummary] = pool.submit(copy_context().run, launch, pipeline, root, [], options)

    def observe(self, event: Event) -> None:
        """See `Observer`."""
        if isinstance(event, Notice) and event.text.startswith("deploy waits for its turn: a stage of `group-"):
            self.waits.set()

    def has_started(self) -> None:
        """Wait until its stage runs."""
        self.engine.wait_until_running("blocks")

    def finish(self) -> RunSummary:
        """Let its stage end as soon as it runs, and return how the run ended."""
        self.engine.container(self.engine.wait_until_running("blocks")).finish()
        return self._summary.result(PATIENCE)


@pytest.fixture
def group() -> str:
    """A group of this test alone, because the server is shared."""
    return f"group-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def begin(
    prefect_api: str, settings: Settings, tmp_path: Path, group: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Run]]:
    """Begins runs whose stages share one group."""
    assert prefect_api
    monkeypatch.setattr(turns, "POLL_SECONDS", 0.1)
    with ThreadPoolExecutor() as pool:
        yield lambda: Run(settings, tmp_path / "root", group, pool)


def test_stages_of_two_runs_never_overlap(begin: Callable[[], Run]) -> None:
    """The stage of the second run waits until that of the first has ended; other stages of the second run do not wait."""
    first = begin()
    first.has_started()
    second = begin()
    assert second.waits.wait(PATIENCE)
    started = [run for run in second.engine.runs if "blocks" in repr(run)]

    ended = first.finish()

    assert started == []
    assert ended.status == "passed"
    assert {name: one.status for name, one in second.finish().stages.items()} == {"deploy": "passed", "other": "passed"}


def test_the_limit_is_one_of_prefect(begin: Callable[[], Run], group: str) -> None:
    """Prefect lists the group, with its limit, and no slot is occupied after the run."""
    begin().finish()

    with get_client(sync_client=True) as client:
        try:
            limit = client.read_global_concurrency_limit_by_name(f"dockercise stages {group}")
        except ObjectNotFound:
            pytest.fail("there is no such limit")
    assert (limit.limit, limit.active_slots) == (1, 0)
