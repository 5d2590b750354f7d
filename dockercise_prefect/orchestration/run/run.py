"""A run from its first check to its summary, inside a Prefect flow. Every compiled module calls this."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from dockercise_prefect.errors import DockerciseError, UsageError
from dockercise_prefect.git.ask import current_commit
from dockercise_prefect.git.context import read_context
from dockercise_prefect.orchestration.crash.at_start import recovering
from dockercise_prefect.orchestration.crash.gc_process import start_gc
from dockercise_prefect.orchestration.guard.guardian import Guardian
from dockercise_prefect.orchestration.guard.message import Told
from dockercise_prefect.orchestration.prefect.cancel_watch import CancelWatch
from dockercise_prefect.orchestration.prefect.child_environment import child_environment
from dockercise_prefect.orchestration.prefect.engine_log import keep_tracebacks_out
from dockercise_prefect.orchestration.prefect.flow_run import attempt
from dockercise_prefect.orchestration.prefect.heartbeat import Heartbeat, beating
from dockercise_prefect.orchestration.prefect.signals import raised
from dockercise_prefect.orchestration.run.ending import Ending
from dockercise_prefect.orchestration.run.execution import execute, identity_of
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.orchestration.run.overlap import in_turn
from dockercise_prefect.orchestration.run.phases import (
    Resolved,
    Started,
    bind,
    find_resumed,
    mark_of,
    open_record,
    resolve,
    restrain,
    select,
    start,
)
from dockercise_prefect.orchestration.run.report import report
from dockercise_prefect.orchestration.run.variable_sources import outside_sources
from dockercise_prefect.pipeline import Pipeline, StageName
from dockercise_prefect.pipeline.run_context import RunContext, RunEvent
from dockercise_prefect.results.record.owner_mark import mark_owner
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.runtime.cleanup.ownership import parent_of_this_process
from dockercise_prefect.runtime.engine import Engine
from dockercise_prefect.settings import read_settings


def run_pipeline(
    pipeline: Pipeline,
    *,
    root: Path | None = None,
    targets: Sequence[StageName] | None = None,
    env: Mapping[str, str] | None = None,
    commit: str | None = None,
    results: str | None = None,
    resume: str | None = None,
    parameters: Mapping[str, object] | None = None,
    options: RunOptions | None = None,
) -> RunSummary:
    """Run the pipeline in the flow run that this is called in.

    Args:
        pipeline: the pipeline to run.
        root: where its code is; `DOCKERCISE_ROOT` overrides it.
        targets: run only these stages and those that belong to them (`pipeline.selection.run_of`).
        env: variables from outside.
        commit: only for pipelines of registered repositories: `root` is then the checkout of this commit.
        results: where the record goes; None for the user's setting.
        resume: the id of a recorded run of the pipeline, the beginning of one, or `last`. What passed there is not run again.
        parameters: values of the pipeline's parameters, instead of their defaults.
        options: None for the user's settings.

    Returns:
        The summary of a run that passed. For any other run, the final state that a Prefect flow must return. With this state,
        the call of the flow raises `RunFailedError`, without a traceback in the log of the flow run.
    """
    keep_tracebacks_out()
    options = options or RunOptions(settings=read_settings())
    run = start(pipeline, options)
    where = options.settings.root or root  # DOCKERCISE_ROOT overrides the root of the module
    with beating(run.flow_run) as heartbeat, Guardian() as guardian:
        with (
            Ending(run) as ending,
            raised(signal.SIGHUP),  # in a flow run, SIGINT and SIGTERM already raise
            recovering(options.settings, report, run.notify),
            CancelWatch(run.flow_run.id) as cancel_watch,
        ):
            if commit is not None:
                raise UsageError("`commit` is only for pipelines of a registered repository", "remove it")
            chosen = bind(run, parameters or {})
            selected = ending.reached(select(chosen, targets or (), commit_of(options, where), _git_of_run(chosen, where)))
            restrained = ending.reached(restrain(selected))
            place = results or options.settings.results
            resuming = ending.reached(find_resumed(restrained, place, resume))
            opened = ending.reached(open_record(resuming, place, where))
            heartbeat.has_record(opened.store.url)
            resolved = ending.reached(resolve(opened, outside_sources(options, selected.git, env)))
            with in_turn(resolved) as turn:
                ending.executed(execute(turn, where, cancel_watch, partial(_guarded, guardian, heartbeat)))
        summary = ending.close()
    if options.settings.gc_after_runs:
        start_gc(options.settings)
    return summary


def refuse_pipeline(name: str, error: DockerciseError, *, results: str | None, options: RunOptions) -> RunSummary:
    """End the flow run that this is called in, because its pipeline cannot be run, and write a record that says why.

    Args:
        name: the name of the pipeline.
        error: what is wrong with the pipeline; its text becomes the `error` of the record.
        results: see `run_pipeline`.
        options: see `run_pipeline`.

    Returns:
        The same as `run_pipeline` for a run in error.
    """
    run = start(Pipeline(name, []), options)
    with beating(run.flow_run) as heartbeat:
        with Ending(run) as ending, raised(signal.SIGHUP):
            selected = ending.reached(select(run, (), options.commit, options.git or RunContext()))
            opened = ending.reached(open_record(selected, results or options.settings.results, None))
            heartbeat.has_record(opened.store.url)
            raise error
        return ending.close()


def commit_of(options: RunOptions, root: Path | None) -> str | None:
    """The short id of the code's commit; None if it is not known."""
    if options.commit is not None:
        return options.commit
    return current_commit(root, compared=not options.settings.untrusted) if root else None


def git_of(options: RunOptions, root: Path | None) -> RunContext:
    """What the run knows of git, and how it began."""
    if options.git is not None:
        return options.git
    return read_context(root) if root else RunContext()


def _guarded(guardian: Guardian, heartbeat: Heartbeat, run: Resolved, engine: Engine) -> None:
    """Start the guardian of a run that a worker has started. If that fails, the user is told, and the run goes on.

    `dockercise run` has none: its user sees that it has died, and the next run or `dockercise gc` finishes it.
    """
    if run.flow_run.deployment_id is None:
        return
    try:
        worker = parent_of_this_process(engine)
        told = Told(
            folder=str(run.store.folder),
            flow_run_id=str(run.flow_run.id),
            attempt=attempt(run.flow_run),
            lease=None if run.lease is None else str(run.lease),
            worker=None if worker is None else str(worker),
            environment=child_environment(run.options.settings),
            pipeline=run.pipeline,
            targets=run.targets,
            outside=run.outside,
        )
        owner = str(guardian.begin(told, identity_of(run), engine))
        mark_owner(run.store.folder, replace(mark_of(run), guardian=owner))
        heartbeat.has_guardian(owner)
    except (DockerciseError, OSError) as error:
        run.notify(f"nobody finishes this run if its process is killed: its guardian did not start: {error}")


def _git_of_run(run: Started, root: Path | None) -> RunContext:
    """The same. Prefect may also have deployed a compiled module, and started it by a schedule."""
    git = git_of(run.options, root)
    scheduled = run.options.git is None and run.flow_run.auto_scheduled
    return replace(git, event=RunEvent.SCHEDULE) if scheduled else git
