"""The implementation of the hub with a real Prefect server and git."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from dockercise_prefect.bounded_process import ProcessEndedError
from dockercise_prefect.errors import (
    CommitMissingError,
    DockerciseError,
    OrchestratorError,
    RepositoryError,
    RepositoryRefusedError,
)
from dockercise_prefect.orchestration.prefect.secret_blocks import find_secret
from dockercise_prefect.orchestration.registrations.deployments import Deployed, deployment_of, deployments
from dockercise_prefect.orchestration.registrations.occasion import PullRequestFacts
from dockercise_prefect.orchestration.registrations.pull_requests import Offer, settle, withdraw
from dockercise_prefect.orchestration.registrations.pushes import (
    Arrival,
    is_skipped,
    peeled,
    state_types,
    submit,
    touched,
    waits_for_yes,
)
from dockercise_prefect.repository.branches import exactly
from dockercise_prefect.settings import Settings
from dockercise_prefect.webhook.payload.address import page_of
from dockercise_prefect.webhook.payload.event import Event
from dockercise_prefect.webhook.payload.pull_request import PullRequest
from dockercise_prefect.webhook.receiver.hub import HubDownError, PushRefusedError, Registered, RunState, Started, Touched

REFUSED_PATIENCE = 10 * 60.0
"""Seconds during which a repository that could not be opened is tried again.

In this time, somebody may replace a wrong key, or a host that refuses everybody may recover.
"""

SILENT_PATIENCE = 24 * 3600.0
"""Seconds during which a git host that does not answer is asked again."""

_STATES = {
    "COMPLETED": RunState.SUCCESS,
    "FAILED": RunState.FAILURE,
    "CRASHED": RunState.ERROR,
    "CANCELLED": RunState.ERROR,
}


class PrefectHub:
    """See `webhook.hub.Hub`.

    Args:
        settings: the settings of this machine: where mirrors are, which engine packages run on.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def registrations(self) -> Sequence[Registered]:
        """All deployments of registered repositories that have a branch."""
        with _translated():
            return [registered_of(one) for one in deployments() if one.registration.ref is not None]

    def secret(self, block: str) -> str | None:
        """The content of a Secret block."""
        with _translated():
            return find_secret(block) or None

    def withdraw(self, registered: Registered, request: PullRequest, key: str) -> int:
        """Cancel the earlier runs of a pull request."""
        with _translated():
            return withdraw(deployment_of(registered.deployment_id), request.number, key)

    def settled(self, registered: Registered, request: PullRequest, waited: float) -> PullRequest:
        """The pull request with the commit to run."""
        offer = Offer(
            request=_facts(request),
            kind=request.kind,
            has_conflicts=request.has_conflicts,
            merge_base=request.merge_base,
        )
        with _translated():
            found = settle(deployment_of(registered.deployment_id), offer, self._settings, waited)
        return replace(request, commit=found.commit, base=found.base)

    def touched(self, registered: Registered, event: Event) -> Touched:
        """What a push or a pull request touches."""
        with _translated():
            deployed = deployment_of(registered.deployment_id)
            arrival = self._arrival(deployed, event)
            if is_skipped(deployed, arrival, self._settings):
                return Touched((), "the newest commit asks for no run ([skip ci])")
            return Touched(touched(deployed, arrival, self._settings))

    def submit(self, registered: Registered, event: Event, targets: tuple[str, ...] | None, key: str) -> Started:
        """Start one flow run."""
        with _translated():
            deployed = deployment_of(registered.deployment_id)
            arrival = self._arrival(deployed, event)
            return Started(*submit(deployed, arrival, targets, key), waits_for_yes(deployed, arrival))

    def _arrival(self, deployed: Deployed, event: Event) -> Arrival:
        if isinstance(event, PullRequest):
            before, facts = event.base or None, _facts(event)
            return Arrival(branch="", before=before, after=event.commit, changed=None, pull_request=facts)
        arrival = Arrival(branch=event.branch, before=event.before, after=event.after, changed=event.changed, tag=event.tag)
        return peeled(deployed, arrival, self._settings)

    def states(self, flow_run_ids: Sequence[str]) -> Mapping[str, RunState]:
        """The states of runs."""
        with _translated():
            known = state_types(flow_run_ids)
        return {one: _STATES.get(known[one], RunState.PENDING) if one in known else RunState.GONE for one in flow_run_ids}


def registered_of(deployed: Deployed) -> Registered:
    """A deployment in the form that the receiver uses."""
    registration = deployed.registration
    addresses = {registration.url, registration.pushed_as}
    return Registered(
        deployment_id=deployed.id,
        name=deployed.name,
        repositories=frozenset(address for address in addresses if address is not None),
        branches=registration.branches or (exactly(registration.ref or ""),),
        tags=registration.tags,
        secret=registration.webhook_secret,
        token=registration.statuses,
        page=page_of(registration.pushed_as or registration.url),
        pull_requests=registration.pull_requests,
    )


def _facts(request: PullRequest) -> PullRequestFacts:
    return PullRequestFacts(
        number=request.number,
        head=request.head,
        source_branch=request.source_branch,
        target_branch=request.target_branch,
        is_fork=request.is_fork,
        merge=request.commit,
    )


@contextmanager
def _translated() -> Iterator[None]:
    """Translates errors: those that may not occur a minute later become `HubDownError`, and the others do not."""
    try:
        yield
    except CommitMissingError as error:
        raise PushRefusedError(error.message) from error
    except OrchestratorError as error:
        raise HubDownError(error.message, error.hint) from error
    except RepositoryRefusedError as error:
        raise HubDownError(error.message, error.hint, patience=REFUSED_PATIENCE) from error
    except RepositoryError as error:
        raise HubDownError(error.message, error.hint, patience=SILENT_PATIENCE) from error
    except ProcessEndedError:
        raise
    except DockerciseError as error:
        raise PushRefusedError(str(error).partition("\n")[0]) from error
