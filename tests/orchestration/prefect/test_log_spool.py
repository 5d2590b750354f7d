"""Log lines that Prefect missed while it was away are sent when it is back: a real server, behind a proxy that fails."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

from dockercise_prefect.orchestration.prefect import log_spool
from dockercise_prefect.orchestration.prefect.log_spool import LogSpool
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.prefect.prefect_records import ask, eventually

pytestmark = pytest.mark.docker

LOGGER = logging.getLogger("prefect.task_runs")
BACK = "Prefect answers again"
TASK_RUN = uuid4()
NAMES = {"flow_run_name": "f", "task_run_name": "t", "task_name": "t"}


@pytest.fixture
def proxy(prefect_api: str) -> Iterator[FaultProxy]:
    """A proxy between this process and the server."""
    with ExitStack() as stack:
        proxy = stack.enter_context(fault_proxy(prefect_api.removesuffix("/api")))
        stack.enter_context(temporary_settings({PREFECT_API_URL: f"{proxy.url}/api"}))
        yield proxy


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask often, so that the test need not wait for seconds."""
    monkeypatch.setattr(log_spool, "ASK_SECONDS", 0.05)


def shown(api: str, flow_run_id: UUID) -> list[str]:
    """The lines of a flow run on the server, in the order of their times."""
    body: dict[str, Any] = {"logs": {"flow_run_id": {"any_": [str(flow_run_id)]}}, "sort": "TIMESTAMP_ASC", "limit": 200}
    return [log["message"] for log in ask(api, "logs/filter", body)]


def say(flow_run_id: UUID, *lines: str) -> None:
    """Log lines of a task run, as a stage does."""
    for line in lines:
        LOGGER.info("%s", line, extra={**NAMES, "flow_run_id": str(flow_run_id), "task_run_id": str(TASK_RUN)})


def test_what_was_missed_is_sent_once_and_in_its_place(proxy: FaultProxy, prefect_api: str) -> None:
    """Lines from before, during and after the absence are all there, each once, in the order in which they were printed."""
    flow_run_id = uuid4()
    said: list[str] = []

    with LogSpool(flow_run_id, said.append) as spool:
        say(flow_run_id, "before 1", "before 2")
        eventually(lambda: shown(prefect_api, flow_run_id), lambda lines: len(lines) == 2)
        proxy.judge = lambda _number, _method, path: "403" if path == "/api/logs/" else "refused"  # not tried again
        say(flow_run_id, "during 1", "during 1", "during 2")
        eventually(lambda: proxy.seen.count(("POST", "/api/logs/")), lambda batches: batches == 2)
        eventually(lambda: said, lambda lines: len(lines) == 1)
        proxy.heal()
        eventually(lambda: said, lambda lines: len(lines) == 2)
        say(flow_run_id, "after")
    sent = spool.send_missing()

    assert sent == 3
    assert shown(prefect_api, flow_run_id) == ["before 1", "before 2", "during 1", "during 1", "during 2", "after"]
    assert said == ["Prefect does not answer: the stages go on, and it gets what it missed when it is back", BACK]


def test_nothing_is_sent_if_prefect_was_always_there(proxy: FaultProxy, prefect_api: str) -> None:
    """Then Prefect has all lines, and is not asked for them."""
    flow_run_id = uuid4()

    with LogSpool(flow_run_id, lambda _text: None) as spool:
        say(flow_run_id, "a")
        eventually(lambda: shown(prefect_api, flow_run_id), lambda lines: len(lines) == 1)
    sent = spool.send_missing()

    assert sent == 0
    assert ("POST", "/api/logs/filter") not in proxy.seen


def test_lines_stay_here_if_the_user_wants_it(proxy: FaultProxy, prefect_api: str) -> None:
    """Where Prefect's setting says that no line goes to the API, none does."""
    flow_run_id = uuid4()
    said: list[str] = []

    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}), LogSpool(flow_run_id, said.append) as spool:
        proxy.after(0, "refused")
        say(flow_run_id, "private")
        eventually(lambda: said, lambda lines: len(lines) == 1)
        proxy.heal()
        eventually(lambda: said, lambda lines: len(lines) == 2)
        sent = spool.send_missing()

    assert (sent, shown(prefect_api, flow_run_id)) == (0, [])


def test_lines_that_have_arrived_are_forgotten(prefect_api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that prints for hours keeps only the lines of the last seconds."""
    monkeypatch.setattr(log_spool, "SETTLED_SECONDS", 0.0)
    flow_run_id = uuid4()

    with LogSpool(flow_run_id, lambda _text: None) as spool:
        say(flow_run_id, *map(str, range(100)))
        eventually(lambda: len(spool._kept), lambda kept: kept == 0)


def test_lines_of_others_are_not_kept(prefect_api: str) -> None:
    """Another flow run of the process has its own spool; lines that are not for the API, and those without a run, have none."""
    flow_run_id = uuid4()

    with LogSpool(flow_run_id, lambda _text: None) as spool:
        say(uuid4(), "another")
        LOGGER.info("not for the API", extra={"flow_run_id": str(flow_run_id), "send_to_api": False})
        logging.getLogger("elsewhere").warning("a library")

        assert list(spool._kept) == []
