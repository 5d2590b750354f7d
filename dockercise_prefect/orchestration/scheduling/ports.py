"""What the scheduler needs, as protocols: task runs, the record, and a way to stop what runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias, TypeVar

from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.results.summary import ApprovalSummary
from dockercise_prefect.runtime.stage.job import JobResult
from dockercise_prefect.runtime.stage.outcome import Stop
from dockercise_prefect.status import StageStatus

BY_PREFECT = "Prefect"
"""What interrupts a run that is cancelled in Prefect."""


class TaskRun(Protocol):
    """A task run that was submitted. It ends by itself."""

    @property
    def task_run_id(self) -> object:
        """The id of the task run."""
        ...

    @property
    def failure(self) -> str | None:
        """How the task run failed, if it has ended without a result."""
        ...

    def wait(self) -> JobResult | None:
        """Wait until the task run has ended, and return its result; None if it has none."""
        ...

    def when_ended(self, then: Callable[[], None]) -> None:
        """Call `then` when the task run has ended, in any thread."""
        ...


T = TypeVar("T", bound=TaskRun)

Pausing: TypeAlias = Callable[[float], bool]
"""Lets a stage wait so many seconds for its next attempt, without a slot. Called in the thread of its task run.

It returns whether the stage has a slot again; False if the run was stopped meanwhile.
"""


class TaskRuns(Protocol[T]):
    """Submits task runs. Each is named after its stage. Used by one thread."""

    def submit(self, stage: Stage, needed: Mapping[StageName, T], inputs: Mapping[StageName, JobResult], pause: Pausing) -> T:
        """Start to run a stage.

        Args:
            stage: the stage to run.
            needed: the task runs of the stages that it needs, as far as they have one. They have ended.
            inputs: the results of the stages that it needs, as far as they have one.
            pause: lets it wait for its next attempt.
        """
        ...

    def show(self, stage: Stage, status: StageStatus, message: str, needed: Mapping[StageName, T]) -> T:
        """Show a stage that does not run, or a group. `message` says why."""
        ...


class Reuse(Protocol):
    """Finds stages that need not run, because an earlier run has made the same. Used by one thread."""

    def is_open(self, stage: Stage, inputs: Mapping[StageName, JobResult]) -> bool:
        """Whether it cannot be said yet: the content of a volume that the stage can see is still being read.

        Args:
            stage: the stage.
            inputs: the results of the stages that it needs, as far as they have one.
        """
        ...

    def volume_read(self, result: JobResult) -> None:
        """The content of the volume of a stage that ran is known, or will not be known."""
        ...

    def find(self, stage: Stage, inputs: Mapping[StageName, JobResult]) -> JobResult | None:
        """The result of the stage, if it need not run. The arguments are those of `is_open`."""
        ...


class NoReuse:
    """Every stage runs (`Reuse`)."""

    def is_open(self, stage: Stage, inputs: Mapping[StageName, JobResult]) -> bool:  # noqa: ARG002  as in `Reuse`
        """See `Reuse`."""
        return False

    def volume_read(self, result: JobResult) -> None:
        """See `Reuse`."""

    def find(self, stage: Stage, inputs: Mapping[StageName, JobResult]) -> None:
        """See `Reuse`."""


class Members(Protocol):
    """Makes the members of groups (`each`). Used by one thread."""

    def of(self, group: Stage, inputs: Mapping[StageName, JobResult]) -> Sequence[Stage]:
        """The members of a group, in the order of their lines.

        Args:
            group: the group, which may start.
            inputs: the results of the stages that it needs, as far as they have one.

        Raises:
            DockerciseError: the lines cannot be read, or are too many.
        """
        ...


class Recorder(Protocol):
    """Records the ends of stages that were not run here, of groups, and that the run was cancelled."""

    def group_started(self, group: Stage) -> None:
        """The members of a group are known, and may start."""
        ...

    def group_ended(self, group: Stage, status: StageStatus, message: str, task_run_id: str | None) -> None:
        """All members of a group have ended, or cannot be made."""
        ...

    def stage_reused(self, stage: Stage, result: JobResult) -> None:
        """The stage need not run. `result` is of an earlier run."""
        ...

    def reused_shown(self, stage: Stage, task_run_id: str) -> None:
        """A stage that is reused has got a task run."""
        ...

    def stage_answered(self, stage: Stage, approval: ApprovalSummary) -> None:
        """Somebody was asked whether the stage may run. It starts or ends after that."""
        ...

    def run_cancelled(self, by: str) -> None:
        """Somebody asked the run to end. `by` says by what."""
        ...

    def stage_never_ran(
        self, stage: Stage, status: StageStatus, message: str, because: StageName | None, task_run_id: str | None
    ) -> None:
        """The stage will never start. `because` is the stage that is the reason, if there is one."""
        ...

    def stage_broke(self, stage: Stage, message: str, task_run_id: str | None) -> None:
        """Dockercise failed to run the stage."""
        ...


class Control(Protocol):
    """Stops what runs. Every method returns immediately."""

    def stop(self, reason: str, stop: Stop) -> None:
        """Stop ordinary stages, each with its grace period, and start no more of them. They end as `stop` says."""
        ...

    def stop_cleanup(self, stop: Stop) -> None:
        """The same for clean-up stages."""
        ...

    def kill(self) -> None:
        """End everything that runs immediately, and start nothing more."""
        ...

    def abandon(self) -> None:
        """Let stages that still run after that count as ended, because the engine does not answer."""
        ...
