"""Answers the question of a run that waits for an approval, wherever it runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import SetStateStatus, StateAbortDetails, StateRejectDetails

from dockercise_prefect.errors import NothingToDoError, UsageError
from dockercise_prefect.orchestration.approvals.form import Verdict, asks_for_approval, response, stages_of
from dockercise_prefect.orchestration.prefect.api import prefect_api
from dockercise_prefect.orchestration.prefect.cancelling import find_flow_run, reached
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.settings import Settings


class Answering:
    """Answers questions.

    Args:
        client: of the user's Prefect.
    """

    def __init__(self, client: SyncPrefectClient) -> None:
        self._client = client

    def answer(self, run: str, stage: StageName | None, verdict: Verdict, by: str) -> StageName:
        """Answer the question about a stage, and return the stage.

        Args:
            run: a run id or its beginning, or the id of a flow run.
            stage: the stage; None if only one waits.
            verdict: whether it may run.
            by: the name of whoever answers.

        Raises:
            UsageError: Prefect has no such flow run, or several; or it asks about other stages.
            NothingToDoError: it does not wait for an approval.
            OrchestratorError: Prefect does not answer.
        """
        with reached():
            flow_run = find_flow_run(self._client, run)
            asked = self._chosen(flow_run, stage)
            result = self._client.resume_flow_run(flow_run.id, response(asked, verdict, by))
        if result.status is not SetStateStatus.ACCEPT:
            details = result.details
            why = details.reason if isinstance(details, StateAbortDetails | StateRejectDetails) else None
            raise NothingToDoError(f"{flow_run.name} does not take the answer: {why or 'Prefect gives no reason'}")
        return asked

    def _chosen(self, flow_run: FlowRun, stage: StageName | None) -> StageName:
        state = flow_run.state
        keyset = state.state_details.run_input_keyset if state is not None and state.is_paused() else None
        if keyset is None or not asks_for_approval(keyset):
            how = "in an unknown state" if state is None else state.name
            raise NothingToDoError(f"{flow_run.name} does not wait for an approval: it is {how}")
        waiting = stages_of(json.loads(self._client.read_flow_run_input(flow_run.id, keyset["schema"])))
        names = ", ".join(waiting)
        if stage is None:
            if len(waiting) == 1:
                return names
            raise UsageError(f"several stages wait: {names}", f"name one: `dockercise approve {flow_run.name} STAGE`")
        if stage not in waiting:
            raise UsageError(f"`{stage}` does not wait for an approval", f"these stages do: {names}")
        return stage


@contextmanager
def answering(settings: Settings, notify: Callable[[str], None]) -> Iterator[Answering]:
    """Answers questions of the user's Prefect. The local server is started if it is the user's Prefect and does not run.

    Raises:
        OrchestratorError: the local server cannot be started.
    """
    with prefect_api(settings.data, notify), get_client(sync_client=True) as client:
        yield Answering(client)
