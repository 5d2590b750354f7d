"""Runs whole pipelines by the real scheduler on any engine, in threads and without Prefect."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dockercise_prefect.orchestration.run.stage_runner import StageRunner
from dockercise_prefect.orchestration.scheduling.approvals import AsksNobody
from dockercise_prefect.orchestration.scheduling.ports import NoReuse, Pausing
from dockercise_prefect.orchestration.scheduling.scheduler import Scheduler
from dockercise_prefect.orchestration.scheduling.turns import NoTurns
from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.runtime.stage.job import JobResult
from dockercise_prefect.runtime.stage.outcome import Stop
from dockercise_prefect.runtime.workspace import Workspace
from dockercise_prefect.status import StageStatus
from tests.orchestration.run.stage_world import StageWorld

PATIENCE = 600.0


@dataclass
class ThreadRun:
    """A task run in a thread (`ports.TaskRun`)."""

    task_run_id: str
    failure: str | None = None
    result: JobResult | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> JobResult | None:
        """See `TaskRun`."""
        assert self.ended.wait(PATIENCE)
        return self.result

    def when_ended(self, then: Callable[[], None]) -> None:
        """See `TaskRun`."""

        def tell() -> None:
            self.ended.wait(PATIENCE)
            then()

        threading.Thread(target=tell, daemon=True).start()


@dataclass
class ThreadRuns:
    """Runs stages in threads (`ports.TaskRuns`)."""

    runner: StageRunner

    def submit(
        self, stage: Stage, needed: Mapping[StageName, ThreadRun], inputs: Mapping[StageName, JobResult], pause: Pausing
    ) -> ThreadRun:
        """See `TaskRuns`."""
        assert all(run.ended.is_set() for run in needed.values())
        run = ThreadRun(stage.name)

        def work() -> None:
            try:
                run.result = self.runner.run(stage, inputs, pause)
            except Exception as error:  # noqa: BLE001  Prefect catches all of them, too
                run.failure = repr(error)
            finally:
                run.ended.set()

        threading.Thread(target=work, daemon=True).start()
        return run

    def show(self, stage: Stage, status: StageStatus, message: str, needed: Mapping[StageName, ThreadRun]) -> ThreadRun:
        """See `TaskRuns`."""
        run = ThreadRun(stage.name)
        run.ended.set()
        return run


@dataclass
class WorkspaceControl:
    """Stops the stages of a workspace (`ports.Control`)."""

    workspace: Workspace

    def stop(self, reason: str, stop: Stop) -> None:
        """See `Control`."""
        self.workspace.cancel(stop)

    def stop_cleanup(self, stop: Stop) -> None:
        """See `Control`."""
        self.workspace.cancel_cleanup(stop)

    def kill(self) -> None:
        """See `Control`."""
        self.workspace.kill()

    def abandon(self) -> None:
        """See `Control`."""
        self.workspace.abandon()


def run_all(world: StageWorld, skipped: Mapping[StageName, str] | None = None, *, jobs: int = 10) -> dict[StageName, str]:
    """Run all stages of a world, and return how each of them ended, according to the record."""
    Scheduler(
        world.pipeline,
        skipped=skipped or {},
        tasks=ThreadRuns(world.runner),
        record=world.record,
        reuse=NoReuse(),
        members=world.members,
        asking=AsksNobody(),
        taking=NoTurns(),
        jobs=jobs,
        fail_fast=False,
        control=WorkspaceControl(world.workspace),
    ).execute()
    return {name: summary.status.value for name, summary in world.record.stages().items()}
