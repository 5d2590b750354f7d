"""A run from the command line: the pipeline runs as a flow in this process, which reports to the user's Prefect."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from prefect import Flow, flow, tags
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import TerminationSignal
from prefect.flow_engine import run_flow
from prefect.states import Completed, Failed
from prefect.utilities.callables import get_call_parameters

from dockercise_prefect.errors import DockerciseError, OrchestratorError
from dockercise_prefect.orchestration.client.flow_heartbeat import flow_heartbeat, heartbeat_seconds
from dockercise_prefect.orchestration.client.settings import without_engine_heartbeat
from dockercise_prefect.orchestration.prefect.api import GONE, LOST, lost_api, prefect_api
from dockercise_prefect.orchestration.prefect.engine_login import connect_engine
from dockercise_prefect.orchestration.prefect.flow_run import found_by, run_name
from dockercise_prefect.orchestration.prefect.last_word import has_final_state
from dockercise_prefect.orchestration.prefect.new_flow_run import new_flow_run
from dockercise_prefect.orchestration.run.ending import failed_state
from dockercise_prefect.orchestration.run.events import Event, Notice, RunEnded, RunStarted
from dockercise_prefect.orchestration.run.failure import ApiLostError, RunFailedError, RunInterruptedError, not_begun
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.orchestration.run.run import commit_of, git_of, run_pipeline
from dockercise_prefect.pipeline import Pipeline, StageName, bound, parameter_values
from dockercise_prefect.results.opening import open_objects
from dockercise_prefect.results.record.amend import rewrite_summary
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.signals import Interruptions
from dockercise_prefect.status import RunStatus


def pipeline_flow(pipeline: Pipeline, root: Path, options: RunOptions, heartbeat: float | None = None) -> Flow[..., RunSummary]:
    """Build in memory the flow that a compiled module would declare.

    Args:
        pipeline: the pipeline to run.
        root: where the code is.
        options: how to run.
        heartbeat: how many seconds pass between two heartbeats, if not Prefect's engine sends them but the flow.
    """

    @flow(name=pipeline.name, retries=0, flow_run_name=run_name)
    def run(
        targets: list[str] | None = None,
        env: dict[str, str] | None = None,
        commit: str | None = None,
        results: str | None = None,
        resume: str | None = None,
    ) -> RunSummary:
        with flow_heartbeat(heartbeat):
            return run_pipeline(
                pipeline,
                root=root,
                targets=targets,
                env=env,
                commit=commit,
                results=results,
                resume=resume,
                options=options,
            )

    return run


def launch(
    pipeline: Pipeline,
    root: Path,
    targets: Sequence[StageName],
    options: RunOptions,
) -> RunSummary:
    """Run the pipeline now, in this process.

    Returns:
        The summary of a run that passed.

    Raises:
        RunFailedError: the run did not pass; the error has its summary.
        RunInterruptedError: the run was interrupted before it began, or after its end.
        ApiLostError: the connection to Prefect was lost before the end of the run could be reported.
        DefinitionError: a parameter of the pipeline has no value.
    """
    pipeline = bound(pipeline)
    ended: list[RunEnded] = []
    signals = Interruptions()

    def observe(event: Event) -> None:
        match event:
            case RunStarted():
                signals.release()
            case RunEnded():
                signals.hold()
                ended.append(event)
            case _:
                pass
        options.observer(event)

    watched = replace(options, observer=observe)
    try:
        with signals.installed(), signals.released(), ExitStack() as stack:
            if options.engine is None and options.settings.registry_credentials is None:
                # The engine comes first: without one, nobody has to wait for Prefect. But credentials are in Prefect.
                watched = replace(watched, engine=stack.enter_context(closing(connect_engine(options.settings))))
            stack.enter_context(prefect_api(options.settings.data, lambda text: observe(Notice(text))))
            # The events of a flow run have the tags with which it was created.
            where = watched.settings.root or root
            watched = replace(watched, commit=commit_of(watched, where), git=(git := git_of(watched, where)))
            stack.enter_context(tags(*found_by(pipeline, watched.commit, git)))
            signals.hold()  # a run that is interrupted before its first line or after its last line would be Crashed
            made = pipeline_flow(pipeline, root, watched, heartbeat_seconds())
            stack.enter_context(without_engine_heartbeat())
            parameters = get_call_parameters(made.fn, (), {"targets": list(targets) or None})
            shown = {**parameters, **parameter_values(pipeline)}  # the pipeline has the values already
            return copy_context().run(lambda: _ran(made, new_flow_run(made, shown), parameters, ended))
    except (KeyboardInterrupt, TerminationSignal) as interruption:
        summary = ended[-1].summary if ended else not_begun(pipeline, None, RunStatus.CANCELLED)
        raise RunInterruptedError(summary) from interruption
    except RunFailedError:
        raise
    except DockerciseError as error:
        raise RunFailedError(not_begun(pipeline, error.message, RunStatus.ERROR), error) from error
    except (*LOST, RuntimeError) as error:
        raise _lost(pipeline, options, [end.summary for end in ended], lost_api(error)) from error


def _ran(flow: Flow[..., RunSummary], flow_run: FlowRun, parameters: dict[str, Any], ended: Sequence[RunEnded]) -> RunSummary:
    """Run the flow. If Prefect's last answer is lost, ask whether Prefect has the end of the run, and tell it again if not."""
    try:
        return cast("RunSummary", run_flow(flow, flow_run, parameters))
    except (*LOST, RuntimeError) as error:
        if isinstance(error, GONE):  # Prefect's client has waited long enough for somebody who answers
            raise
        if not ended:  # it must not look as if it were going on
            message = f"the run did not begin: an answer of Prefect was lost ({type(error).__name__})"
            has_final_state(flow_run.id, Failed(message=message))
            raise
        summary, cause = ended[-1].summary, ended[-1].cause
        failure = None if summary.status is RunStatus.PASSED else RunFailedError(summary, cause)
        if not has_final_state(flow_run.id, failed_state(failure) if failure else Completed()):
            raise
        if failure:
            raise failure from None
        return summary


def _lost(pipeline: Pipeline, options: RunOptions, ended: Sequence[RunSummary], lost: OrchestratorError) -> RunFailedError:
    """The result of a run if Prefect failed: before the run began, during the run, or only after its end was reported."""
    if not ended:
        return RunFailedError(not_begun(pipeline, lost.message, RunStatus.ERROR), lost)
    if ended[-1].status is RunStatus.ERROR:
        return ApiLostError(ended[-1], lost, is_news=False)
    summary = replace(ended[-1], status=RunStatus.ERROR, error=ended[-1].error or lost.message)
    with suppress(DockerciseError):  # then the record keeps the earlier summary
        rewrite_summary(open_objects(options.settings.results, options.settings), summary)
    return ApiLostError(summary, lost, is_news=True)
