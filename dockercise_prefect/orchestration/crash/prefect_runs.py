"""Reads unfinished flow runs from Prefect, and sets them to Crashed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID

from httpx import Response
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.client.schemas.responses import SetStateStatus
from prefect.states import Crashed

from dockercise_prefect.errors import OrchestratorError
from dockercise_prefect.orchestration.crash.unfinished import CANCELLING, SUSPENDED, UNFINISHED, UnfinishedRun
from dockercise_prefect.orchestration.prefect.sign_of_life import Sign

PAGE = 200
"""The number of entries of one answer, the maximum of the API."""

UNFINISHED_TASKS = (*UNFINISHED, "SCHEDULED")
"""The types of the states of task runs that are not final."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Our unfinished flow runs.

    Attributes:
        now: when Prefect answered, by its clock.
    """

    now: datetime
    runs: tuple[UnfinishedRun, ...]


class PrefectRuns:
    """The flow runs of one API.

    Args:
        client: of the API. It is used by one thread at a time.

    Raises:
        httpx.HTTPError, PrefectException: from every method: the API does not answer.
        OrchestratorError: what answers is not Prefect.
    """

    def __init__(self, client: SyncPrefectClient) -> None:
        self._client = client

    def unfinished(self, *, ids: Sequence[str] | None = None, most: int | None = None) -> Listing:
        """Our flow runs that have not ended, oldest first.

        Args:
            ids: only these; None for all.
            most: at most so many are looked at, in one request; None for all.
        """
        found: list[UnfinishedRun] = []
        # A flow run that is suspended has no process, and waits for somebody who resumes it.
        states = {"type": {"any_": list(UNFINISHED)}, "name": {"not_any_": [SUSPENDED]}}
        wanted: dict[str, Any] = {"state": states}
        if ids is not None:
            wanted["id"] = {"any_": list(ids)}
        offset = 0
        while True:
            body = {"flow_runs": wanted, "sort": "EXPECTED_START_TIME_ASC", "limit": min(most or PAGE, PAGE), "offset": offset}
            answer = self._client.request("POST", "/flow_runs/filter", json=body)
            with _understood(answer):
                entries = [_parsed(entry) for entry in answer.json()]
            found += [run for run in entries if run.is_ours]
            offset += len(entries)
            if most is not None or len(entries) < PAGE:
                return Listing(_time_of(answer.headers), tuple(found))

    def crashed_in_part(self) -> Listing:
        """Our flow runs that are Crashed, but have task runs that are not final.

        Prefect records what happens to task runs with a delay. So a task run may have appeared after its flow run was Crashed.
        """
        crashed = {"state": {"type": {"any_": ["CRASHED"]}}}
        body = {"flow_runs": crashed, "task_runs": {"state": {"type": {"any_": list(UNFINISHED_TASKS)}}}, "limit": PAGE}
        answer = self._client.request("POST", "/flow_runs/filter", json=body)
        with _understood(answer):
            runs = [_parsed(entry) for entry in answer.json()]
        return Listing(_time_of(answer.headers), tuple(run for run in runs if run.is_ours))

    def crash_tasks(self, run: UnfinishedRun, message: str) -> None:
        """Set the unfinished task runs of the flow run to Crashed."""
        for task_run in self._task_runs(run.id):
            self._client.set_task_run_state(UUID(task_run), Crashed(message=message))

    def crash(self, run: UnfinishedRun, message: str) -> bool:
        """Set the flow run and its unfinished task runs to Crashed. Return whether the flow run was not final before.

        Prefect itself refuses to crash what is final, so nothing is overwritten that has ended in the meantime. Only for a
        flow run that is being cancelled, it refuses any other state than Cancelled and has to be forced.
        """
        self.crash_tasks(run, message)
        is_forced = run.state == CANCELLING and bool(self.unfinished(ids=[run.id]).runs)
        state: State[Any] = Crashed(message=message)
        answer = self._client.set_flow_run_state(UUID(run.id), state, force=is_forced)
        return answer.status is SetStateStatus.ACCEPT

    def _task_runs(self, flow_run: str) -> Iterator[str]:
        """The ids of the task runs of the flow run that are not final."""
        body = {
            "flow_runs": {"id": {"any_": [flow_run]}},
            "task_runs": {"state": {"type": {"any_": list(UNFINISHED_TASKS)}}},
            "limit": PAGE,
        }
        seen: set[str] = set()
        while True:
            answer = self._client.request("POST", "/task_runs/filter", json=body)
            with _understood(answer):
                new = [entry["id"] for entry in answer.json() if entry["id"] not in seen]
            if not new:
                return
            seen.update(new)
            yield from new


@contextmanager
def _understood(answer: Response) -> Iterator[None]:
    """Turn errors in the content of the answer, which may come from a proxy in between, into one that users can read."""
    answer.raise_for_status()
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"Prefect's answer is not understood: {type(error).__name__}: {error}"
        raise OrchestratorError(message, "is PREFECT_API_URL the address of a Prefect API?") from error


def _parsed(entry: Mapping[str, Any]) -> UnfinishedRun:
    state = entry["state"]
    return UnfinishedRun(
        id=entry["id"],
        name=entry["name"],
        state=state["type"],
        since=_time(state["timestamp"]),
        seen=_time(entry["updated"]),
        run_count=entry["run_count"],
        is_deployed=entry["deployment_id"] is not None,
        tags=frozenset(entry["tags"]),
        sign=Sign.parse(entry.get("labels") or {}),
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _time_of(headers: Mapping[str, str]) -> datetime:
    """When the answer was made, by the clock of the server, which is also the clock of `updated`."""
    try:
        return parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError):
        return datetime.now(UTC)
