"""The flow of every registered repository: check a commit out, compile its pipeline, run it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any, cast

from prefect import flow
from prefect.logging import get_run_logger
from prefect.states import Failed

from dockercise_prefect.errors import DefinitionError, DockerciseError, UsageError
from dockercise_prefect.git.ask import SHORT_COMMIT
from dockercise_prefect.orchestration.prefect.api import LOST, lost_api
from dockercise_prefect.orchestration.prefect.engine_log import keep_tracebacks_out
from dockercise_prefect.orchestration.prefect.flow_run import current_flow_run, hold_to, run_name
from dockercise_prefect.orchestration.prefect.heartbeat import beating
from dockercise_prefect.orchestration.registrations.checkout import bring_history, checked_out, compile_checkout
from dockercise_prefect.orchestration.registrations.deployments import Deployed, deployment_of
from dockercise_prefect.orchestration.registrations.occasion import Occasion, known_of, labelled, occasion_of, with_changes
from dockercise_prefect.orchestration.registrations.parameters import given, with_parameters_of_this_run
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.orchestration.run.run import refuse_pipeline, run_pipeline
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.settings import read_settings


@flow(name="registered", retries=0, flow_run_name=run_name)
@with_parameters_of_this_run
def registered(
    targets: list[str] | None = None,
    env: dict[str, str] | None = None,
    commit: str | None = None,
    results: str | None = None,
    resume: str | None = None,
    **parameters: Any,
) -> RunSummary:
    """Run the pipeline of a registered repository.

    Args:
        targets: Stages to run, with all they need and their clean-up stages. Nothing here runs the whole pipeline.
        env: Variables for stages that ask for them. Prefect stores them in clear text: a secret belongs into a Secret block.
        commit: The commit to run, all 40 digits of its id. Nothing here runs the newest of the registered branch.
        results: Where the record of the run goes: a folder, or s3://bucket/prefix. Nothing here takes the worker's setting.
        resume: A run of this pipeline: its id, the beginning of it, or `last`. What passed there is not run again.
    """
    keep_tracebacks_out()
    try:
        settings = replace(read_settings(), root=None)  # the code is in the checkout, so DOCKERCISE_ROOT is ignored
        with ExitStack() as stack:
            stack.enter_context(beating(current_flow_run()))  # a checkout may take long
            deployed = _deployment()
            told = labelled(current_flow_run().labels) or Occasion()
            registration = told.registration(deployed.registration)
            settings = registration.settings(settings)
            if told.pull_request is not None and told.is_of_fork:  # whatever the deployment gives to runs that are trusted
                commit, env, resume = told.pull_request.merge, None, None
            checkout = stack.enter_context(checked_out(registration, commit, settings))
            occasion = occasion_of(current_flow_run(), registration, checkout, settings)
            hold_to(current_flow_run(), None if told.is_of_fork else checkout.commit, occasion.labels)
            log = get_run_logger()
            log.info("%s at %s", registration.url, checkout.commit or "the current content of the folder")
            short = checkout.commit and checkout.commit[:SHORT_COMMIT]
            known = known_of(occasion, registration, checkout, settings)
            options = RunOptions(settings=settings, commit=short, git=known, secret_blocks=registration.secrets)
            try:
                compiled = compile_checkout(checkout, registration, settings, log.info, given(parameters))
            except DefinitionError as error:
                log.error("%s", error)  # noqa: TRY400  a traceback says nothing about the user's YAML
                return refuse_pipeline(deployed.pipeline, error, results=results, options=options)
            for warning in compiled.warnings:
                log.warning("%s", warning)
            if compiled.pipeline.history is not None:
                bring_history(checkout, compiled.pipeline.history, known.branch, registration, settings)
            if any(stage.when.changed for stage in compiled.pipeline):
                options = replace(options, git=with_changes(known, registration, settings))
            return run_pipeline(
                compiled.pipeline,
                root=checkout.folder,
                targets=targets,
                env=env,
                results=results,
                resume=resume,
                options=options,
            )
    except DockerciseError as error:
        return _not_run(error)
    except LOST as error:
        return _not_run(lost_api(error))


def _deployment() -> Deployed:
    flow_run = current_flow_run()
    if flow_run.deployment_id is None:
        message = "this flow only runs in deployments that `dockercise register` creates"
        raise UsageError(message, "`dockercise run` runs a folder")
    return deployment_of(str(flow_run.deployment_id))


def _not_run(error: DockerciseError) -> RunSummary:
    """The final state of a run that ended before its first stage. The error is in the log and the message of the flow run."""
    get_run_logger().error("%s", error)
    return cast("RunSummary", Failed(message=error.message, data=error))
