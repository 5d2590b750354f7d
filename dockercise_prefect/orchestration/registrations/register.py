"""Registers a repository as a deployment: checks it out, compiles it and saves it in Prefect. The pipeline must compile."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dockercise_prefect.compiler import Compiled
from dockercise_prefect.errors import UsageError
from dockercise_prefect.git.ask import SHORT_COMMIT
from dockercise_prefect.git.run import run_git
from dockercise_prefect.orchestration.prefect.secret_blocks import needed_secret
from dockercise_prefect.orchestration.registrations.checkout import check_extras, checked_out, compile_checkout, open_mirror
from dockercise_prefect.orchestration.registrations.deployments import (
    DEFAULT_POOL,
    Deployed,
    DeploymentRequest,
    save,
    schedules_of,
)
from dockercise_prefect.orchestration.registrations.flow import registered
from dockercise_prefect.orchestration.registrations.parameters import check_unattended, with_parameters
from dockercise_prefect.orchestration.registrations.registration import Registration
from dockercise_prefect.orchestration.registrations.timetable import Timetable, described
from dockercise_prefect.orchestration.run.limits import within_trust
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.pipeline import Pipeline
from dockercise_prefect.pipeline.selection import run_of
from dockercise_prefect.repository.address import Address
from dockercise_prefect.results.places.place import check_outside
from dockercise_prefect.settings import Settings

LISTED = 50
"""The maximum number of stages that the page of a deployment names."""


@dataclass(frozen=True, kw_only=True)
class RegisterRequest:
    """A request of the user to register a repository.

    Attributes:
        registration: the registration; if its `ref` is None, the repository's default branch is used.
        name: the name of the deployment; None for the name of the repository.
        targets: the default targets of runs; empty for all stages.
        env: the variables of runs; Prefect stores them in clear text.
        results: where records go; None for the setting of each worker.
        job_variables: the variables of the work pool for its runs, for example the image of a Docker pool.
        concurrency: the maximum number of runs at the same time; None for no limit.
        skip_overlapping: whether a run above that limit is skipped instead of delayed.
        unscheduled: whether to remove the existing schedules of the deployment.
        values: values for parameters of the pipeline, for all runs that give no others.
    """

    registration: Registration
    name: str | None = None
    timetable: Timetable = field(default_factory=Timetable)
    targets: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    results: str | None = None
    work_pool: str = DEFAULT_POOL
    job_variables: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int | None = None
    skip_overlapping: bool = False
    paused: bool = False
    unscheduled: bool = False
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """The content of a repository: its pipeline, the commit, and the registration with its branch filled in."""

    registration: Registration
    compiled: Compiled
    commit: str | None


def look(request: RegisterRequest, settings: Settings, notify: Callable[[str], None]) -> Found:
    """Check the repository out and compile its pipeline.

    Args:
        request: the request of the user.
        settings: the settings of this machine.
        notify: called with a message before something that takes long.

    Raises:
        DockerciseError: the repository cannot be read; or its pipeline does not compile, requests something that is not
            allowed, or does not have a target; or a Secret block that is named does not exist; or a parameter of the pipeline
            has a wrong value, or none although a schedule or a push starts runs.
    """
    registration = request.registration
    settings = registration.settings(settings)
    check_extras(registration, settings)
    for block in (registration.credentials, registration.webhook_secret, registration.statuses, *registration.secrets.values()):
        if block is not None:
            needed_secret(block)
    address = registration.address
    if address.kind == "file" and "://" not in address.url and not Path(address.url).exists():
        raise UsageError(
            f"there is no folder {address.url}", "give a git URL or a folder; `dockercise register --help` says more"
        )
    if not _is_plain_folder(address):
        registration = replace(registration, ref=open_mirror(registration, settings.data).head(registration.ref).name)
    elif top := _repository_above(Path(address.url)):
        raise UsageError(
            f"{address.url} is a folder of the git repository {top}",
            f"register the whole repository: `dockercise register {top}`",
        )
    elif registration.ref is not None:
        raise UsageError(
            f"{registration.url} is not a git repository, so it has no branch `{registration.ref}`", "remove --ref"
        )
    with checked_out(registration, None, settings) as checkout:
        compiled = compile_checkout(checkout, registration, settings, notify, request.values)
        if request.results is not None:
            check_outside(request.results, checkout.folder)
    if registration.webhook_secret is not None or request.timetable.schedules():
        check_unattended(compiled.pipeline)
    within_trust(run_of(compiled.pipeline, request.targets), RunOptions(settings=settings))
    return Found(registration, compiled, checkout.commit)


def register(request: RegisterRequest, found: Found) -> tuple[Deployed, bool]:
    """Create the deployment, or update the existing one with that name.

    Returns:
        The deployment, and whether it is new.

    Raises:
        UsageError: the request is wrong, or would remove a schedule that it does not mention.
        OrchestratorError: Prefect does not answer.
    """
    pipeline = found.compiled.pipeline
    name = request.name or found.registration.address.name
    if not request.unscheduled and not request.timetable.schedules():
        _keep_schedules(f"{pipeline.name}/{name}")
    chosen = {one.name: one.default for one in pipeline.parameters if one.name in request.values}
    parameters = {
        "targets": list(request.targets) or None,
        "env": dict(request.env) or None,
        "results": request.results,
        **chosen,
    }
    deployment = DeploymentRequest(
        flow=pipeline.name,
        name=name,
        registration=found.registration,
        description=description(found.registration, pipeline, found.commit),
        version=found.commit[:SHORT_COMMIT] if found.commit else None,
        parameters={name: value for name, value in parameters.items() if value is not None},
        parameter_schema=parameter_schema(pipeline),
        timetable=request.timetable,
        work_pool=request.work_pool,
        job_variables=request.job_variables,
        concurrency=request.concurrency,
        skip_overlapping=request.skip_overlapping,
        paused=request.paused,
    )
    return save(deployment)


def _keep_schedules(deployment: str) -> None:
    lost = schedules_of(deployment)
    if lost:
        raise UsageError(
            f"{deployment} has schedules that this would remove: {described(lost)}",
            "give them again, or use `--no-cron` to remove them",
        )


def description(registration: Registration, pipeline: Pipeline, commit: str | None) -> str:
    """The text of the deployment's page in Prefect's UI, in Markdown."""
    names = [stage.name for stage in pipeline]
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    of = f"`{registration.ref}` of `{registration.url}`" if registration.ref else f"`{registration.url}`"
    at = f" (at `{commit[:SHORT_COMMIT]}`)" if commit else ""
    return f"The pipeline in {of}. Stages{at}: {', '.join(f'`{name}`' for name in names[:LISTED])}{more}."


def parameter_schema(pipeline: Pipeline) -> Mapping[str, Any]:
    """The parameters of the flow, for the run form of Prefect's UI."""
    schema = with_parameters(registered.parameters.model_dump(), pipeline.parameters)
    names = ", ".join([stage.name for stage in pipeline][:LISTED])
    schema["properties"]["targets"]["description"] += f" Stages: {names}."
    return schema


def _is_plain_folder(address: Address) -> bool:
    """Whether the address is a folder on this machine that is not in a git repository."""
    folder = Path(address.url)
    if address.kind != "file" or not folder.is_dir():
        return False
    return not (folder / ".git").exists() and not ((folder / "HEAD").exists() and (folder / "objects").is_dir())


def _repository_above(folder: Path) -> Path | None:
    """The git repository that contains the folder; None if the repository ignores it."""
    if (
        not any((above / ".git").exists() for above in folder.parents)
        or run_git(folder, "check-ignore", "-q", ".").returncode == 0
    ):
        return None
    top = run_git(folder, "rev-parse", "--show-toplevel")
    return Path(os.fsdecode(top.stdout).rstrip("\n")) if top.returncode == 0 else None
