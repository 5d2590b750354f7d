"""Pull requests of registered repositories: which commit runs, which runs it overtakes, and a maintainer's yes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Cancelling

from dockercise_prefect.errors import RepositoryError, UsageError
from dockercise_prefect.git.ask import SHORT_COMMIT
from dockercise_prefect.hosts.kinds import HostKind
from dockercise_prefect.orchestration.prefect.api import LOST, lost_api
from dockercise_prefect.orchestration.prefect.flow_run import page
from dockercise_prefect.orchestration.registrations.checkout import open_mirror
from dockercise_prefect.orchestration.registrations.deployments import Deployed
from dockercise_prefect.orchestration.registrations.occasion import FORK, HEAD, PULL_REQUEST, PullRequestFacts
from dockercise_prefect.orchestration.registrations.registration import for_pull_request
from dockercise_prefect.settings import Settings

MERGE_SECONDS = 60.0
"""Seconds after an event in which the host may still merge the two branches. GitHub and GitLab do it in the background."""

_GOES_ON = (StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A pull request as the host described it in an event.

    Attributes:
        request: the pull request; its `merge` is not known yet.
        kind: the kind of host. GitHub always merges, GitLab mostly, Gitea never.
        has_conflicts: whether the host says that it cannot be merged.
        merge_base: the commit that both branches have in common; empty if the host does not say.
    """

    request: PullRequestFacts
    kind: HostKind
    has_conflicts: bool
    merge_base: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What a run of a pull request runs.

    Attributes:
        commit: the commit.
        base: the commit of the target branch that it is compared with; empty if it is not known.
    """

    commit: str
    base: str


@dataclass(frozen=True, slots=True)
class WaitingRun:
    """A run of a fork's pull request that waits for a maintainer's yes.

    Attributes:
        flow_run_id: Prefect's id of the run.
        number: the number of the pull request.
        head: the newest commit of its branch.
        page: the run's page in Prefect's UI, if that is known.
    """

    flow_run_id: str
    number: str
    head: str
    page: str | None


def settle(deployed: Deployed, offer: Offer, settings: Settings, waited: float) -> Settled:
    """Find the commit to run: the host's merge of the two branches; or the newest commit, if the host makes no merges.

    Only a merge of exactly the newest commit counts, because the branch may have changed since the event.

    Args:
        deployed: the deployment that waits for the pull request.
        offer: the pull request.
        settings: the settings of this machine.
        waited: seconds since the event.

    Raises:
        RepositoryError: the repository cannot be read now, or the host has not merged the branches yet.
        UsageError: there are conflicts, or the pull request has another newest commit by now.
    """
    request = offer.request
    if offer.has_conflicts:
        raise UsageError(_conflicts(request))
    mirror = open_mirror(for_pull_request(deployed.registration, request.refs), settings.data)
    tips = mirror.tips(request.refs)
    may_come = waited < MERGE_SECONDS
    if tips.head != request.head:
        if may_come:
            raise RepositoryError(f"pull request {request.number} is not at {request.head[:SHORT_COMMIT]} yet")
        raise UsageError(f"pull request {request.number} is not at {request.head[:SHORT_COMMIT]} any more")
    if tips.merge is not None:
        mirror.fetch(tips.merge)
        base, *merged = mirror.parents(tips.merge) or [""]
        if merged == [request.head]:
            return Settled(tips.merge, base)
    if offer.kind is not HostKind.GITEA and may_come:
        raise RepositoryError(f"the host has not merged pull request {request.number} into {request.target_branch} yet")
    if offer.kind is HostKind.GITHUB:
        raise UsageError(_conflicts(request))
    mirror.fetch(request.head)
    return Settled(request.head, offer.merge_base)


def withdraw(deployed: Deployed, number: int, key: str) -> int:
    """Cancel the runs of a pull request that have not ended, except the one with this idempotency key. Returns how many.

    Raises:
        OrchestratorError: Prefect does not answer.
    """
    with _client() as client:
        found = [run for run in _runs(client, deployed, str(number), _GOES_ON) if run.idempotency_key != key]
        for run in found:
            client.set_flow_run_state(run.id, Cancelling(message="the pull request was closed, or has a newer commit"))
    return len(found)


def waiting(deployed: Deployed) -> Sequence[WaitingRun]:
    """The runs of a deployment that wait for a maintainer's yes.

    Raises:
        OrchestratorError: Prefect does not answer.
    """
    with _client() as client:
        return [_waiting(run) for run in _runs(client, deployed, None, (StateType.PAUSED,)) if _has_not_begun(run)]


def allow(run: WaitingRun) -> None:
    """Say yes: let a run that waits begin.

    Raises:
        UsageError: the run does not wait any more.
        OrchestratorError: Prefect does not answer.
    """
    with _client() as client:
        answer = client.resume_flow_run(UUID(run.flow_run_id))
    if answer.status.value != "ACCEPT":
        raise UsageError(f"the run of pull request {run.number} does not wait any more")


def refuse(run: WaitingRun) -> None:
    """Say no: cancel a run that waits.

    Raises:
        OrchestratorError: Prefect does not answer.
    """
    with _client() as client:
        client.set_flow_run_state(UUID(run.flow_run_id), Cancelling(message="a maintainer said no"))


def _runs(client: SyncPrefectClient, deployed: Deployed, number: str | None, states: Sequence[StateType]) -> Iterator[FlowRun]:
    """Runs of pull requests. A pipeline can choose tags for itself, but not labels, so the labels decide."""
    tag = f"pull-request:{number}" if number else "event:pull_request"
    wanted = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[UUID(deployed.id)]),
        tags=FlowRunFilterTags(all_=[tag]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[*states])),
    )
    for run in client.read_flow_runs(flow_run_filter=wanted):
        if number in {None, run.labels.get(PULL_REQUEST)} and PULL_REQUEST in run.labels:
            yield run


def _has_not_begun(run: FlowRun) -> bool:
    """Whether the run waits for its first start, and not because a stage in it asks something."""
    return run.labels.get(FORK) == "true" and run.run_count == 0


def _waiting(run: FlowRun) -> WaitingRun:
    return WaitingRun(str(run.id), str(run.labels[PULL_REQUEST]), str(run.labels.get(HEAD, "")), page(run))


def _conflicts(request: PullRequestFacts) -> str:
    return f"it cannot be merged into {request.target_branch}: resolve the conflicts and push again"


@contextmanager
def _client() -> Iterator[SyncPrefectClient]:
    try:
        with get_client(sync_client=True) as client:
            yield client
    except LOST as error:
        raise lost_api(error) from error
