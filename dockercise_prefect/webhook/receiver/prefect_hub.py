"""The implementation of the hub with a real Prefect server and git."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

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
from dockercise_prefect.orchestration.registrations.pushes import Arrival, peeled, state_types, submit, touched
from dockercise_prefect.repository.branches import exactly
from dockercise_prefect.settings import Settings
from dockercise_prefect.webhook.payload.address import page_of
from dockercise_prefect.webhook.payload.push import Push
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

    def touched(self, registered: Registered, push: Push) -> Touched:
        """What a push touches."""
        with _translated():
            deployed = deployment_of(registered.deployment_id)
            return Touched(touched(deployed, self._arrival(deployed, push), self._settings))

    def submit(self, registered: Registered, push: Push, targets: tuple[str, ...] | None, key: str) -> Started:
        """Start one flow run."""
        with _translated():
            deployed = deployment_of(registered.deployment_id)
            return Started(*submit(deployed, self._arrival(deployed, push), targets, key))

    def _arrival(self, deployed: Deployed, push: Push) -> Arrival:
        arrival = Arrival(branch=push.branch, before=push.before, after=push.after, changed=push.changed, tag=push.tag)
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
