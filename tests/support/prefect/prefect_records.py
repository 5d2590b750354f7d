"""Reads data about a run from Prefect's API.

Prefect records task runs some time after they ended, so each request is repeated until the answer is complete.
"""

from __future__ import annotations

import http
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 240.0
"""Seconds after which an incomplete answer fails the test."""

PAGE = 200
"""Entries of one answer. This is the maximum of the API."""

ATTEMPTS = 10

FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@dataclass(frozen=True)
class TaskRunRecord:
    """A task run from the API. `needs` are the names of the task runs that have an edge to it."""

    name: str
    type: str
    state: str
    message: str | None
    needs: frozenset[str]


@dataclass(frozen=True)
class FlowRunRecord:
    """A flow run from the API."""

    name: str
    type: str
    state: str
    message: str | None
    parameters: dict[str, Any]
    tags: frozenset[str]


def ask(api: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Send one request; with a body, a POST. If the server's database is locked, send it again, as clients do."""
    for _ in range(ATTEMPTS):
        try:
            return _ask(api, path, body)
        except urllib.error.HTTPError as error:
            if error.code != http.HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            time.sleep(1)
    return _ask(api, path, body)


def _ask(api: str, path: str, body: dict[str, Any] | None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{api}/{path}", data, {"content-type": "application/json"})  # noqa: S310  the test's own server
    with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310  as above
        return json.loads(answer.read())


def eventually(question: Callable[[], T], complete: Callable[[T], bool], patience: float = PATIENCE) -> T:
    """Ask until the answer is complete, for at most `patience` seconds.

    Raises:
        AssertionError: it never was. The error shows the last answer.
    """
    deadline = time.monotonic() + patience
    while not complete(answer := question()):
        assert time.monotonic() < deadline, f"still incomplete: {answer}"
        time.sleep(0.2)
    return answer


def flow_run(api: str, flow_run_id: str) -> FlowRunRecord:
    """The flow run, when it is final."""
    found = eventually(
        lambda: ask(api, f"flow_runs/{flow_run_id}"), lambda answer: (answer["state"] or {}).get("type") in FINAL
    )
    state = found["state"]
    return FlowRunRecord(
        found["name"], state["type"], state["name"], state["message"], found["parameters"], frozenset(found["tags"])
    )


def task_runs(api: str, flow_run_id: str, count: int) -> dict[str, TaskRunRecord]:
    """The task runs of a flow run, by name, when `count` of them are final."""

    def settled(run: dict[str, Any]) -> bool:
        state = run["state"] or {}
        return state.get("type") in FINAL

    def fetch() -> list[dict[str, Any]]:
        body = {"flow_runs": {"id": {"any_": [flow_run_id]}}, "limit": 200}
        found: list[dict[str, Any]] = ask(api, "task_runs/filter", body)
        return found

    runs = eventually(fetch, lambda found: len(found) == count and all(settled(run) for run in found))
    names = {run["id"]: run["name"] for run in runs}
    return {run["name"]: _record(run, names) for run in runs}


def logs(api: str, flow_run_id: str, last: str) -> list[str]:
    """The messages of a flow run's log, in the order of the API, when they contain `last`."""

    def fetch() -> list[str]:
        found: list[str] = []
        while True:
            body = {
                "logs": {"flow_run_id": {"any_": [flow_run_id]}},
                "sort": "TIMESTAMP_ASC",
                "limit": PAGE,
                "offset": len(found),
            }
            page = [line["message"] for line in ask(api, "logs/filter", body)]
            found += page
            if len(page) < PAGE:
                return found

    return eventually(fetch, lambda found: any(last in message for message in found))


def _record(run: dict[str, Any], names: dict[str, str]) -> TaskRunRecord:
    inputs = [entry for entries in run["task_inputs"].values() for entry in entries]
    needs = frozenset(names[entry["id"]] for entry in inputs if entry["input_type"] == "task_run")
    state = run["state"]
    return TaskRunRecord(run["name"], state["type"], state["name"], state["message"], needs)
