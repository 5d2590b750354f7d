"""A run from the command line: the pipeline as a flow of this process, reported to the user's Prefect."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
from prefect import Flow, flow
from prefect.exceptions import PrefectException

from dockercise_prefect.errors import DockerciseError, OrchestratorError
from dockercise_prefect.orchestration.api import prefect_api
from dockercise_prefect.orchestration.events import Event, Notice, RunEnded
from dockercise_prefect.orchestration.failure import RunFailedError
from dockercise_prefect.orchestration.options import RunOptions
from dockercise_prefect.orchestration.registry import connect_engine
from dockercise_prefect.orchestration.run import run_pipeline
from dockercise_prefect.pipeline import Pipeline, StageName
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.status import RunStatus, StageStatus


def pipeline_flow(pipeline: Pipeline, root: Path, options: RunOptions) -> Flow[..., RunSummary]:
    """The flow that a compiled module would declare, made in memory.

    Args:
        pipeline: what it runs.
        root: where the code is.
        options: how to run.
    """

    @flow(name=pipeline.name)
    def run(
        targets: list[str] | None = None,
        env: dict[str, str] | None = None,
        commit: str | None = None,
        results: str | None = None,
    ) -> RunSummary:
        return run_pipeline(pipeline, root=root, targets=targets, env=env, commit=commit, results=results, options=options)

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
        RunFailedError: it did not pass; holds its summary.
    """
    ended: list[RunSummary] = []

    def observe(event: Event) -> None:
        if isinstance(event, RunEnded):
            ended.append(event.summary)
        options.observer(event)

    watched = replace(options, observer=observe)
    try:
        with ExitStack() as stack:
            if options.engine is None and options.settings.registry_credentials is None:
                # Without an engine there is no need to wait for Prefect; credentials are in Prefect.
                watched = replace(watched, engine=stack.enter_context(closing(connect_engine(options.settings))))
            stack.enter_context(prefect_api(options.settings.data, lambda text: observe(Notice(text))))
            return pipeline_flow(pipeline, root, watched)(targets=list(targets) or None)
    except RunFailedError:
        raise
    except DockerciseError as error:
        raise RunFailedError(not_begun(pipeline, error), error) from error
    except (httpx.HTTPError, PrefectException, RuntimeError) as error:
        lost = OrchestratorError(
            f"Prefect failed: {type(error).__name__}: {error}", "`dockercise status` says how the server is"
        )
        summary = ended[-1] if ended else not_begun(pipeline, lost)
        raise RunFailedError(replace(summary, status=RunStatus.ERROR, error=lost.message), lost) from error


def not_begun(pipeline: Pipeline, error: DockerciseError) -> RunSummary:
    """The summary of a run that ended before its flow run began."""
    now = datetime.now(UTC)
    why = StageSummary(StageStatus.NOT_STARTED, message="not started: the run ended before")
    return RunSummary(
        run_id=f"{now:%Y%m%dT%H%M%SZ}-none",
        pipeline=pipeline.name,
        status=RunStatus.ERROR,
        error=error.message,
        started=now.isoformat(),
        finished=now.isoformat(),
        stages={stage.name: why for stage in pipeline},
    )
