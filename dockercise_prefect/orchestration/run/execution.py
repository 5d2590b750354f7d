"""Runs the stages of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from dockercise_prefect.orchestration.approvals.asking import AskingRun, PrefectAsking
from dockercise_prefect.orchestration.concurrency.turns import PrefectTurns, TurnsOfRun
from dockercise_prefect.orchestration.groups.printed_lines import PrintedLines
from dockercise_prefect.orchestration.prefect.cancel_watch import CancelWatch
from dockercise_prefect.orchestration.prefect.engine_login import connect_engine
from dockercise_prefect.orchestration.prefect.flow_run import found_by, without_tags
from dockercise_prefect.orchestration.prefect.reuse_key import reuse_key
from dockercise_prefect.orchestration.reuse.kept_results import KeptResults
from dockercise_prefect.orchestration.reuse.run_reuse import ReuseOptions, RunAccess, RunReuse
from dockercise_prefect.orchestration.run.cleanup_signals import CleanupSignals
from dockercise_prefect.orchestration.run.events import EngineFound, Waiting
from dockercise_prefect.orchestration.run.limits import confinement_of
from dockercise_prefect.orchestration.run.outcome_texts import OutcomeTexts
from dockercise_prefect.orchestration.run.outputs import RunOutputs
from dockercise_prefect.orchestration.run.phases import Opened, Resolved, Started
from dockercise_prefect.orchestration.run.stage_runner import Reuses, StageRunner
from dockercise_prefect.orchestration.run.stage_task import PrefectTaskRun, PrefectTaskRuns, ShownTask
from dockercise_prefect.orchestration.scheduling.scheduler import Scheduler
from dockercise_prefect.results.record.journal import Entry
from dockercise_prefect.runtime.cleanup.labels import RunIdentity
from dockercise_prefect.runtime.copying.trials import FOLDER, Trials
from dockercise_prefect.runtime.engine import Engine
from dockercise_prefect.runtime.options import RuntimeOptions
from dockercise_prefect.runtime.stage.outcome import Stop
from dockercise_prefect.runtime.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Executed:
    """All stages have ended, or will never start.

    Attributes:
        interrupted_by: what ended the run early, for example the name of a signal; None if nothing did.
        code_digest: the digest of the run's snapshot of the code (docs/digests.md); None if no stage used it.
        signal_due: whether the run was cancelled in Prefect, and the worker's SIGTERM for that has not come yet.
    """

    interrupted_by: str | None = None
    code_digest: str | None = None
    signal_due: bool = False


Guard: TypeAlias = Callable[[Resolved, Engine], None]
"""Called when a run is going to make things on an engine: if its process dies, somebody has to finish the run."""


R = TypeVar("R", bound=Reuses)


@dataclass(frozen=True)
class Stages(Generic[R]):
    """What runs the stages of one run."""

    outputs: RunOutputs
    runner: StageRunner
    scheduler: Scheduler[PrefectTaskRun]
    reuse: R


def execute(run: Resolved, root: Path | None, cancel_watch: CancelWatch, guard: Guard) -> Executed:
    """Check the engine and the images, then run the stages. Nothing of them stays on the engine.

    Raises:
        DockerciseError: a condition for the first stage is not met.
    """
    options, settings = run.options, run.options.settings
    with ExitStack() as stack:
        signals = stack.enter_context(CleanupSignals(run.notify))
        afterwards = stack.enter_context(ExitStack())  # when all volumes are in the record
        engine = options.engine or stack.enter_context(closing(connect_engine(settings)))
        info = engine.info()
        run.observe(EngineFound(info.version, info.url))
        how = runtime_options(run, root)
        workspace = stack.enter_context(Workspace(engine, run.may_run, identity_of(run), how, run.notify))
        stack.callback(signals.begin)  # always called before the workspace is removed
        guard(run, engine)
        workspace.prepare()
        run.record.note(Entry.SHARED, {"volumes": workspace.shared_volumes, "code_digest": workspace.code_digest})
        stages = stack.enter_context(stages_in(workspace, run, partial(_reuse, run, workspace)))
        afterwards.callback(stages.reuse.close)
        scheduler = stages.scheduler
        with without_tags(found_by(run.pipeline, run.commit, run.git)), cancel_watch.reaches(scheduler.interrupt):
            interrupted_by = scheduler.execute()
        run.record.bundle_outputs(run.pipeline)
        return Executed(interrupted_by, workspace.code_digest, scheduler.signal_due)


def identity_of(run: Started) -> RunIdentity:
    """The identity of a run on its engine."""
    return RunIdentity(run.run_id, run.pipeline.name, str(run.flow_run.id), run.pipeline.cleanup_after_crash)


def runtime_options(run: Resolved, root: Path | None) -> RuntimeOptions:
    """How a run uses its engine. `root` is the folder of the code."""
    return RuntimeOptions(
        root=root,
        jobs=run.options.settings.jobs,
        aws=run.options.aws,
        masker=run.secrecy.masker,
        confinement=confinement_of(run.options.settings),
        kept_volume=kept_results(run).volume,
        trials=Trials(run.options.settings.data / FOLDER),
    )


@contextmanager
def stages_in(workspace: Workspace, run: Resolved, reuse_of: Callable[[RunOutputs], R]) -> Iterator[Stages[R]]:
    """What runs the stages of a run in a workspace, each as a task run of the current flow run.

    Args:
        workspace: on the engine of the run.
        run: the run.
        reuse_of: returns what knows what may be reused, for the outputs of the run.
    """
    outputs = RunOutputs(
        run.pipeline,
        run.store,
        run.secrecy,
        workspace.output_volumes,
        failed=run.record.failed,
        kept=kept_results(run).output,
    )
    reuse = reuse_of(outputs)
    runner = StageRunner(
        workspace=workspace,
        record=run.record,
        outputs=outputs,
        options=run.options,
        texts=OutcomeTexts(run.pipeline, run.texts, run.record),
        secrecy=run.secrecy,
        current_task=ShownTask,
        shipping=run.shipment.stream,
        reuse=reuse,
        volume_read=lambda result: scheduler.volume_read(result),  # noqa: PLW0108  the scheduler is made below
        show=run.view.stage,
    )
    asking = PrefectAsking(_asking(run), lambda answers: scheduler.answered(answers))  # noqa: PLW0108  as above
    taking = PrefectTurns(_turns(run), lambda stage: scheduler.has_turn(stage))  # noqa: PLW0108  as above
    scheduler = Scheduler(
        run.pipeline,
        skipped=run.skipped,
        tasks=PrefectTaskRuns(runner.run),
        record=run.record,
        reuse=reuse.finding,
        members=PrintedLines(
            pipeline=run.pipeline,
            opened=outputs.open,
            because=run.secrecy.because,
            mask=run.secrecy.masker.add,
            lines=run.lines,
        ),
        asking=asking,
        taking=taking,
        jobs=run.options.settings.jobs,
        fail_fast=run.options.fail_fast,
        control=_Control(run, workspace),
    )
    with closing(outputs), closing(asking), closing(taking):
        yield Stages(outputs, runner, scheduler, reuse)


def _asking(run: Resolved) -> AskingRun:
    return AskingRun(
        flow_run=run.flow_run,
        context=run.context,
        masked=run.secrecy.masker.text,
        notify=run.notify,
        awaits=lambda what: run.observe(Waiting(what)),
    )


def _turns(run: Resolved) -> TurnsOfRun:
    """Stages of a pipeline that is not trusted share groups only with those of the same registration."""
    untrusted = run.options.settings.untrusted
    owner = str(run.flow_run.deployment_id or run.pipeline.name) if untrusted else ""
    return TurnsOfRun(run.flow_run.id, run.context, owner, run.notify)


def kept_results(run: Opened) -> KeptResults:
    """What earlier runs of the pipeline have left."""
    return KeptResults(run.store.objects, run.pipeline.name, run.notify)


def _reuse(run: Resolved, workspace: Workspace, outputs: RunOutputs) -> RunReuse:
    options = run.options
    access = RunAccess(
        pipeline=run.pipeline,
        seen=workspace,
        texts=run.texts,
        secret=run.outside.secret,
        sensitive=run.secrecy.because,
        store=run.store,
        opened=outputs.open,
        find_key=lambda: run.context.copy().run(reuse_key),  # also from threads that Prefect did not start
        note=run.record.note_made_from,
        audited=run.record.stage_audited,
        notify=run.notify,
    )
    how = ReuseOptions(
        no_cache=options.no_cache,
        fail_on_miss=options.fail_on_miss,
        is_kept=not options.settings.untrusted,
        audit=0 if options.settings.untrusted else options.settings.cache_audit,
        aws=options.aws,
        resume=options.resume,
    )
    return RunReuse(access, how)


class _Control:
    """Stops the stages of a run, and tells the user (`scheduling.ports.Control`)."""

    def __init__(self, run: Resolved, workspace: Workspace) -> None:
        self._run = run
        self._workspace = workspace

    def stop(self, reason: str, stop: Stop) -> None:
        cleanup = ", then the clean-up stages run" if any(stage.when.cleans_up for stage in self._run.pipeline) else ""
        self._run.notify(
            f"{reason}: stopping the running stages, each with its grace period{cleanup} (Ctrl-C stops everything immediately)"
        )
        self._workspace.cancel(stop)

    def stop_cleanup(self, stop: Stop) -> None:
        self._run.notify(f"{stop.message.removeprefix('cancelled: ')}: stopping the clean-up stages")
        self._workspace.cancel_cleanup(stop)

    def kill(self) -> None:
        self._workspace.kill()

    def abandon(self) -> None:
        self._workspace.abandon()
