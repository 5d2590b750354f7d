"""Runs stages as a run does, without Prefect."""

from __future__ import annotations

import json
import logging
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dockercise_prefect.orchestration.groups.printed_lines import PrintedLines
from dockercise_prefect.orchestration.run.events import Event, Observer
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.orchestration.run.outputs import RunOutputs
from dockercise_prefect.orchestration.run.record import RunRecord
from dockercise_prefect.orchestration.run.secrecy import Secrecy
from dockercise_prefect.orchestration.run.stage_log import PrefectLogger
from dockercise_prefect.orchestration.run.stage_runner import ReusesNothing, StageRunner
from dockercise_prefect.pipeline import Pipeline, Stage, StageName, to_json
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.runtime.attempts import RunAttempt
from dockercise_prefect.runtime.engine import Engine
from dockercise_prefect.runtime.options import RuntimeOptions
from dockercise_prefect.runtime.stage.attempt import run_attempt
from dockercise_prefect.runtime.stage.environment import Outside, VariableTexts
from dockercise_prefect.runtime.stage.job import JobResult
from dockercise_prefect.runtime.workspace import Workspace
from dockercise_prefect.settings import read_settings
from tests.runtime.workspaces import IDENTITY

LOG = logging.getLogger("a task run")


@dataclass
class FakeTask:
    """A task run (`stage_runner.CurrentTask`)."""

    states: list[str]
    id: str | None = "task-1"
    logger: PrefectLogger = LOG

    def awaits_retry(self, seconds: float, message: str | None) -> None:
        """See `CurrentTask`."""
        self.states.append(f"waits {seconds:g} s: {message}")

    def retries(self) -> None:
        """See `CurrentTask`."""
        self.states.append("retries")


@dataclass
class StageWorld:
    """A run whose stages the test runs one by one.

    Attributes:
        results: the result of each stage. events: the events that observers got.
        shown: for each stage that is completely recorded, its result and the last lines of its log.
        task_states: what Prefect shows of task runs between attempts.
        read: the results of stages whose volumes were read, or will never be.
        members: makes the members of groups.
        pauses: how long each stage waited between attempts. stopped: whether such a pause is refused.
    """

    engine: Engine
    workspace: Workspace
    pipeline: Pipeline
    runner: StageRunner
    record: RunRecord
    store: LocalStore
    outputs: RunOutputs
    events: list[Event]
    shown: dict[StageName, tuple[JobResult, list[str]]]
    task_states: list[str]
    read: list[JobResult]
    members: PrintedLines
    results: dict[StageName, JobResult] = field(default_factory=dict)
    pauses: dict[StageName, list[float]] = field(default_factory=lambda: defaultdict(list))
    stopped: bool = False

    def pauses_of(self, name: StageName) -> Callable[[float], bool]:
        """Pauses that take no time, and are noted; refused after the run was stopped."""

        def pause(seconds: float) -> bool:
            self.pauses[name].append(seconds)
            return not self.stopped

        return pause

    def run(self, name: StageName) -> JobResult:
        """Run one stage with the results of the stages before it."""
        stage = self.pipeline.by_name[name]
        inputs = {needed: self.results[needed] for needed in stage.needs}
        self.results[name] = self.runner.run(stage, inputs, self.pauses_of(name))
        return self.results[name]

    def entry(self, name: StageName) -> dict[str, Any]:
        """The JSON of a stage in the record."""
        found: dict[str, Any] = json.loads((self.store.folder / f"{name}.json").read_bytes())
        return found

    def files(self) -> set[str]:
        """The names of all files in the record."""
        return {path.name for path in self.store.folder.iterdir()}

    def bundled(self) -> dict[str, bytes]:
        """The contents of `out.zip`, once the run has ended."""
        with zipfile.ZipFile(self.store.folder / "out.zip") as bundle:
            return {name: bundle.read(name) for name in bundle.namelist()}


@contextmanager
def stage_world(
    engine: Engine,
    pipeline: Pipeline,
    results: Path,
    outside: Mapping[StageName, Mapping[str, str]] | None = None,
    *,
    open_store: Callable[[Path, str, str], LocalStore] = LocalStore,
    attempt: RunAttempt = run_attempt,
    observer: Observer | None = None,
) -> Iterator[StageWorld]:
    """A run that has begun; the record of its stages is complete when the context ends."""
    store = open_store(results, pipeline.name, "run")
    store.start(to_json(pipeline))
    events: list[Event] = []

    def observe(event: Event) -> None:
        events.append(event)
        if observer is not None:
            observer(event)

    shown: dict[StageName, tuple[JobResult, list[str]]] = {}
    shown_states: list[str] = []
    read: list[JobResult] = []
    lines: dict[StageName, str] = {}
    secrecy = Secrecy(pipeline)
    secrecy.begin(Outside(outside or {}, {}))
    record = RunRecord(store, observe, secrecy)
    how = RuntimeOptions(None, 10, aws=False, masker=secrecy.masker)

    def show(stage: Stage, result: JobResult, tail: list[str]) -> None:
        shown[stage.name] = (result, tail)

    with Workspace(engine, pipeline, replace(IDENTITY, pipeline=pipeline.name), how, logging.warning, attempt) as workspace:
        workspace.prepare()
        volumes = workspace.output_volumes
        with closing(RunOutputs(pipeline, store, secrecy, volumes, failed=record.failed, kept=lambda _stdout: ())) as outputs:
            runner = StageRunner(
                workspace=workspace,
                record=record,
                outputs=outputs,
                options=RunOptions(settings=read_settings(), observer=observe),
                texts=VariableTexts(pipeline, outside or {}, lines),
                secrecy=secrecy,
                current_task=lambda: FakeTask(shown_states),
                shipping=lambda _stage: lambda _line: None,
                reuse=ReusesNothing(),
                volume_read=read.append,
                show=show,
            )
            members = PrintedLines(
                pipeline=pipeline,
                opened=outputs.open,
                because=secrecy.because,
                mask=secrecy.masker.add,
                lines=lines,
            )
            yield StageWorld(
                engine, workspace, pipeline, runner, record, store, outputs, events, shown, shown_states, read, members
            )
            record.bundle_outputs(pipeline)
