"""Deployments of registered repositories in Prefect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentCreate, DeploymentScheduleCreate, DeploymentUpdate, WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import get_current_settings

from dockercise_prefect.errors import UsageError
from dockercise_prefect.orchestration.prefect.api import LOST, lost_api
from dockercise_prefect.orchestration.prefect.flow_run import pipeline_tag
from dockercise_prefect.orchestration.registrations.registration import LABEL, Registration
from dockercise_prefect.orchestration.registrations.timetable import Timetable, described

DEFAULT_POOL = "dockercise"
PAGE = 200
"""The maximum number of deployments in one answer of Prefect's API."""

REFUSALS = (404, 409, 422)
"""The statuses with which Prefect rejects a wrong request. Another try does not help."""

NOT_IN_NAMES = frozenset("/%&<>")
"""Characters that the name of a deployment must not contain."""

ENTRYPOINT = "dockercise_prefect.orchestration.registered.registered"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRequest:
    """A deployment to create or change.

    Attributes:
        flow: the name of the pipeline.
        name: the name of the deployment.
        parameters: the default parameters of its runs.
        job_variables: the variables of the work pool for the infrastructure of its runs.
        concurrency: the maximum number of runs at the same time; None for no limit.
        skip_overlapping: whether a run above that limit is skipped instead of delayed.
    """

    flow: str
    name: str
    registration: Registration
    description: str
    version: str | None
    parameters: Mapping[str, object]
    parameter_schema: Mapping[str, Any]
    timetable: Timetable
    work_pool: str
    job_variables: Mapping[str, Any]
    concurrency: int | None
    skip_overlapping: bool
    paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """An existing deployment.

    Attributes:
        id: Prefect's id of the deployment.
        name: `flow/deployment`.
        schedules: the schedules in words.
    """

    id: str
    name: str
    registration: Registration
    parameters: Mapping[str, Any]
    work_pool: str | None
    schedules: str
    paused: bool

    @property
    def pipeline(self) -> str:
        """The name of its flow, which is the name of the pipeline."""
        return self.name.partition("/")[0]

    @property
    def page(self) -> str | None:
        """The address of the deployment in Prefect's UI; None if it is not known."""
        ui = get_current_settings().ui_url
        return f"{ui}/deployments/deployment/{self.id}" if ui else None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A deployment whose label was edited, or was written by a newer version.

    Attributes:
        id, name: see `Deployed`.
        why: what is wrong with the label.
    """

    id: str
    name: str
    why: UsageError


def deployments() -> Sequence[Deployed]:
    """The deployments of all registered repositories, sorted by name, without those that a newer version made.

    Raises:
        OrchestratorError: Prefect does not answer.
    """
    return [one for one in registrations() if isinstance(one, Deployed)]


def registrations() -> Sequence[Deployed | Unreadable]:
    """The deployments of all registered repositories, sorted by name, including those that a newer version made.

    Raises:
        OrchestratorError: Prefect does not answer.
    """
    with _client() as client:
        found = [*_all(client)]
        flows = {one.flow_id: client.read_flow(one.flow_id).name for one in found}
    return sorted((_read(one, flows[one.flow_id]) for one in found), key=lambda one: one.name)


def find_registration(name: str) -> Deployed | Unreadable:
    """The deployment with that name: `flow/deployment`, or only the name of the deployment if it is unique.

    Raises:
        UsageError: no deployment, or more than one, has that name.
        OrchestratorError: Prefect does not answer.
    """
    known = registrations()
    found = [one for one in known if name in {one.name, one.name.partition("/")[2]}]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{name} is ambiguous: it may be {' or '.join(one.name for one in found)}", "give the full name")
    there_are = f"there are {', '.join(one.name for one in known)}" if known else "`dockercise register SOURCE` creates one"
    raise UsageError(f"there is no registration {name}", there_are)


def deployment_of(deployment_id: str) -> Deployed:
    """The deployment with that id.

    Raises:
        UsageError: the deployment does not exist any more, or is not of a registered repository.
        OrchestratorError: Prefect does not answer.
    """
    with _client() as client:
        try:
            one = client.read_deployment(deployment_id)
        except ObjectNotFound as error:
            raise UsageError(
                f"the deployment {deployment_id} does not exist any more", "`dockercise register` creates it again"
            ) from error
        if LABEL not in (one.labels or {}):
            raise UsageError(
                f"the deployment {one.name} is not for a registered repository",
                "`dockercise register` creates a deployment for a repository",
            )
        return _deployed(one, client.read_flow(one.flow_id).name)


def schedules_of(name: str) -> Sequence[object]:
    """Prefect's schedules of a deployment, `flow/deployment`. Empty if the deployment does not exist.

    Raises:
        OrchestratorError: Prefect does not answer.
    """
    with _client() as client:
        try:
            return [one.schedule for one in client.read_deployment_by_name(name).schedules]
        except ObjectNotFound:
            return []


def save(request: DeploymentRequest) -> tuple[Deployed, bool]:
    """Create the deployment, or update the existing one with that name.

    Returns:
        The deployment, and whether it is new.

    Raises:
        UsageError: the existing deployment is of another repository, the work pool does not exist, or Prefect refuses the
            request.
        OrchestratorError: Prefect does not answer.
    """
    if set(request.name) & NOT_IN_NAMES:
        hint = f"use `--name` to choose a name without {' '.join(sorted(NOT_IN_NAMES))}"
        raise UsageError(f"`{request.name}` cannot be the name of a deployment", hint)
    with _client() as client:
        new = _is_new(client, request)
        _ensure_pool(client, request.work_pool)
        strategy = ConcurrencyLimitStrategy.CANCEL_NEW if request.skip_overlapping else ConcurrencyLimitStrategy.ENQUEUE
        create = DeploymentCreate(
            name=request.name,
            flow_id=client.create_flow_from_name(request.flow),
            entrypoint=ENTRYPOINT,
            description=request.description,
            version=request.version,
            tags=[pipeline_tag(request.flow)],
            parameters=dict(request.parameters),
            parameter_openapi_schema=dict(request.parameter_schema),
            enforce_parameter_schema=True,
            labels={LABEL: request.registration.to_label()},
            work_pool_name=request.work_pool,
            job_variables=dict(request.job_variables),
            schedules=[DeploymentScheduleCreate(schedule=one) for one in request.timetable.schedules()],
            paused=request.paused,
            concurrency_limit=request.concurrency,
            concurrency_options=ConcurrencyOptions(collision_strategy=strategy) if request.concurrency else None,
        )
        # Prefect's method for this has no argument for labels.
        try:
            answer = client.request("POST", "/deployments/", json=create.model_dump(mode="json", exclude_unset=True))
        except PrefectHTTPStatusError as error:
            if error.response.status_code in REFUSALS:
                raise UsageError(
                    f"Prefect does not accept the deployment {request.flow}/{request.name}: {refusal(error)}"
                ) from error
            raise
        return _deployed(DeploymentResponse.model_validate(answer.json()), request.flow), new


def describe(deployed: Deployed, description: str, version: str | None, parameter_schema: Mapping[str, Any]) -> None:
    """Update the description of what the deployment runs, after a push. Nothing else of it changes.

    Raises:
        OrchestratorError: Prefect does not answer.
    """
    update = DeploymentUpdate(description=description, version=version, parameter_openapi_schema=dict(parameter_schema))
    with _client() as client:
        client.update_deployment(UUID(deployed.id), update)


def refusal(error: PrefectHTTPStatusError) -> str:
    """Prefect's message about a request that it refuses."""
    try:
        return str(error.response.json()["detail"])
    except (ValueError, KeyError, TypeError):  # not JSON, or with another structure
        return error.response.text


def remove(deployed: Deployed | Unreadable) -> None:
    """Remove a deployment, its schedules and its runs that have not begun. Earlier runs stay.

    Raises:
        OrchestratorError: Prefect does not answer.
    """
    with _client() as client, suppress(ObjectNotFound):  # somebody else has already removed it
        client.delete_deployment(UUID(deployed.id))


@contextmanager
def _client() -> Iterator[SyncPrefectClient]:
    try:
        with get_client(sync_client=True) as client:
            yield client
    except LOST as error:
        raise lost_api(error) from error


def _all(client: SyncPrefectClient) -> Iterable[DeploymentResponse]:
    """All deployments of registered repositories, each once.

    If another process creates a deployment between two pages, the second page repeats the last deployment of the first one.
    """
    found: dict[UUID, DeploymentResponse] = {}
    offset, more = 0, True
    while more:
        page = client.read_deployments(limit=PAGE, offset=offset)
        found |= {one.id: one for one in page if LABEL in (one.labels or {})}
        offset += len(page)
        more = len(page) == PAGE
    return found.values()


def _read(one: DeploymentResponse, flow: str) -> Deployed | Unreadable:
    try:
        return _deployed(one, flow)
    except UsageError as error:
        return Unreadable(str(one.id), f"{flow}/{one.name}", error)


def _deployed(one: DeploymentResponse, flow: str) -> Deployed:
    return Deployed(
        id=str(one.id),
        name=f"{flow}/{one.name}",
        registration=Registration.from_label(str((one.labels or {})[LABEL])),
        parameters=one.parameters,
        work_pool=one.work_pool_name,
        schedules=described(schedule.schedule for schedule in one.schedules),
        paused=one.paused,
    )


def _is_new(client: SyncPrefectClient, request: DeploymentRequest) -> bool:
    try:
        there = client.read_deployment_by_name(f"{request.flow}/{request.name}")
    except ObjectNotFound:
        return True
    label = (there.labels or {}).get(LABEL)
    theirs = Registration.from_label(str(label)).url if label else "a flow that dockercise did not register"
    if theirs != request.registration.url:
        name = f"{request.flow}/{request.name}"
        raise UsageError(f"there is already a deployment {name}, of {theirs}", "give this one another name with `--name`")
    return False


def _ensure_pool(client: SyncPrefectClient, name: str) -> None:
    try:
        client.read_work_pool(name)
    except ObjectNotFound:
        if name != DEFAULT_POOL:
            hint = f"`prefect work-pool create --type process {name}` creates one; use `--type docker` for containers"
            raise UsageError(f"there is no work pool {name}", hint) from None
        with suppress(ObjectAlreadyExists):  # another registration has just created it
            client.create_work_pool(WorkPoolCreate(name=name, type="process", base_job_template=_process_template()))


def _process_template() -> dict[str, Any]:
    """The template that Prefect's own command uses for a pool of type process."""
    from prefect.workers.process import ProcessWorker  # noqa: PLC0415  takes a second, only needed for the first registration

    return ProcessWorker.get_default_base_job_template()
