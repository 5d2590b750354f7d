"""Asks Prefect to cancel a flow run, and waits for its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterName
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Cancelling

from dockercise_prefect.errors import NothingToDoError, UsageError
from dockercise_prefect.orchestration.prefect.api import LOST, lost_api, prefect_api
from dockercise_prefect.settings import Settings

POLL_SECONDS = 1.0
"""How many seconds pass between two questions for the state."""

MANY = 10
"""How many runs are looked at whose name begins with what the user wrote."""

NOW = "asked twice, so it ends immediately"
"""The message of the state after the second request."""


def how_to_cancel(run: str) -> str:
    """What Prefect shows people who look at a run that has no deployment.

    Prefect's UI says that such runs cannot be cancelled, but the menu of its V1 UI has *Cancel* in narrow windows.

    Args:
        run: the run id, which is the name of the flow run.
    """
    return (
        f"to cancel this run, type `dockercise cancel {run}`. "
        "In Prefect's V1 UI, you can also make this window narrow and choose Cancel in the menu ⋮"
    )


class Cancellation:
    """Cancels flow runs.

    Args:
        client: of the user's Prefect.
    """

    def __init__(self, client: SyncPrefectClient) -> None:
        self._client = client

    def ask(self, run: str) -> FlowRun:
        """Ask a flow run to end. If it was asked before, it ends immediately.

        Args:
            run: a run id or its beginning, or the id of a flow run.

        Raises:
            UsageError: Prefect has no such flow run, or several.
            NothingToDoError: it has ended already.
            OrchestratorError: Prefect does not answer.
        """
        with reached():
            found = find_flow_run(self._client, run)
            if found.state is not None and found.state.is_final():
                raise NothingToDoError(f"{found.name} has already ended: {found.state.name}")
            again = found.state is not None and found.state.type is StateType.CANCELLING
            # Each request is a new state. Prefect itself accepts only the first one.
            state: State[object] = Cancelling(message=NOW if again else None)
            self._client.set_flow_run_state(found.id, state, force=again)
            return found

    def state_of(self, flow_run: FlowRun) -> State[object]:
        """The state of the flow run now.

        Raises:
            OrchestratorError: Prefect does not answer.
        """
        with reached():
            state = self._client.read_flow_run(flow_run.id).state
        if state is None:
            raise UsageError(f"Prefect does not know the state of {flow_run.name}")
        return state

    def wait(self, flow_run: FlowRun) -> State[object]:
        """Wait until the flow run has ended, and return its final state.

        Raises:
            OrchestratorError: Prefect does not answer.
        """
        while not (state := self.state_of(flow_run)).is_final():
            time.sleep(POLL_SECONDS)
        return state


def find_flow_run(client: SyncPrefectClient, run: str) -> FlowRun:
    """Find a flow run.

    Args:
        client: of the user's Prefect.
        run: a run id or its beginning, or the id of a flow run.

    Raises:
        UsageError: Prefect has no such flow run, or several.
    """
    names = FlowRunFilter(name=FlowRunFilterName(like_=run))
    wanted = _with_id(run) or names
    found = [one for one in client.read_flow_runs(flow_run_filter=wanted, limit=MANY) if _is_meant(one, run)]
    if not found:
        raise UsageError(f"there is no run `{run}` in Prefect", "`dockercise runs` lists runs, and Prefect's UI all flow runs")
    exact = [one for one in found if one.name == run]
    if len(exact or found) > 1:
        several = ", ".join(sorted(one.name for one in found))
        raise UsageError(f"`{run}` could be any of {several}", "write more of the run id, or the id of the flow run")
    return (exact or found)[0]


def _with_id(run: str) -> FlowRunFilter | None:
    try:
        return FlowRunFilter(id=FlowRunFilterId(any_=[UUID(run)]))
    except ValueError:
        return None


def _is_meant(flow_run: FlowRun, run: str) -> bool:
    return flow_run.name.startswith(run) or str(flow_run.id) == run.lower()


@contextmanager
def cancellation(settings: Settings, notify: Callable[[str], None]) -> Iterator[Cancellation]:
    """Cancels flow runs of the user's Prefect. The local server is started if it is the user's Prefect and does not run.

    Raises:
        OrchestratorError: the local server cannot be started.
    """
    with prefect_api(settings.data, notify), get_client(sync_client=True) as client:
        yield Cancellation(client)


@contextmanager
def reached() -> Iterator[None]:
    """Inside, a failure of Prefect is an error that users can read."""
    try:
        yield
    except LOST as error:
        raise lost_api(error) from error
