"""Keeps log lines that Prefect has perhaps not got, because it was away, and sends those that it does not have.

Prefect's client sends lines in batches every two seconds, and tries each batch for about a minute. Then the batch is lost.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self, TypeAlias
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId, LogFilterTimestamp
from prefect.client.schemas.sorting import LogSort
from prefect.logging.handlers import APILogHandler, APILogWorker
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED

from dockercise_prefect.orchestration.client.http_settings import answered_within
from dockercise_prefect.orchestration.client.settings import asking_once

LOGGERS: Final = ("prefect.flow_runs", "prefect.task_runs")
"""The loggers whose lines Prefect's client sends to the API."""

ASK_SECONDS: Final = 2.0
"""How often Prefect is asked whether it is there. A server takes longer than this to start again."""

ANSWER_SECONDS: Final = 5.0
"""How long an answer may take."""

WORTH_A_LINE: Final = 2
"""The user is told after so many failures one after the other. One answer may be slow."""

SETTLED_SECONDS: Final = 15.0
"""After this time, Prefect has got a line, if it was there all the time."""

MOST_KEPT: Final = 50_000
"""How many lines are kept at most: about 40 MB. The oldest are dropped."""

DRAIN_SECONDS: Final = 90.0
"""How long the end of a run waits for Prefect's own client, which may pause for half a minute between two tries."""

PAGE: Final = 200
"""The maximum number of lines in one answer of Prefect's API."""

Identity: TypeAlias = tuple[str | None, datetime, str]
"""What distinguishes a line from all others: its task run, its time and its text."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line as Prefect's client sends it.

    Attributes:
        made: when it was made, on our own clock that never goes back.
    """

    made: float
    log: dict[str, Any]

    @property
    def identity(self) -> Identity:
        return self.log["task_run_id"], _time(self.log["timestamp"]), self.log["message"]


class LogSpool(logging.Handler):
    """The lines of one flow run. A context manager: lines are kept inside. Thread-safe.

    Args:
        flow_run_id: the flow run. Lines of others are not kept.
        notify: called when Prefect does not answer, and when it answers again.
    """

    def __init__(self, flow_run_id: UUID, notify: Callable[[str], None]) -> None:
        super().__init__()
        self._flow_run_id = str(flow_run_id)
        self._notify = notify
        self._preparing = APILogHandler()
        self._kept: deque[_Line] = deque(maxlen=MOST_KEPT)
        self._changed = threading.Lock()
        self._closing = threading.Event()
        self._there_since: float | None = time.monotonic()
        self._was_away = False
        # A thread that Prefect did not start has neither the flow run nor its API in its context.
        context = copy_context()
        self._thread = threading.Thread(target=lambda: context.run(self._watch), name="prefect-watch", daemon=True)

    def __enter__(self) -> Self:
        """Begin to keep lines, and to ask whether Prefect is there."""
        for name in LOGGERS:
            logging.getLogger(name).addHandler(self)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Keep no more lines."""
        self._closing.set()
        for name in LOGGERS:
            logging.getLogger(name).removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line, as Prefect's client sends it."""
        if not getattr(record, "send_to_api", True):
            return
        try:
            log = self._preparing.prepare(record)
        except Exception:  # noqa: BLE001  Prefect's own handler of this record reports what is wrong with it
            return
        log.pop("__payload_size__", None)
        if log["flow_run_id"] == self._flow_run_id:
            with self._changed:
                self._kept.append(_Line(time.monotonic(), log))

    def send_missing(self) -> int:
        """Send the lines that Prefect does not have, if it was away. Return how many these were.

        To be called when Prefect answers. Waits until Prefect's client has sent what it has.

        Raises:
            httpx.HTTPError, PrefectException: Prefect does not answer any more, or refuses.
        """
        if not self._was_away or not PREFECT_LOGGING_TO_API_ENABLED.value():
            return 0
        APILogWorker.drain_all(timeout=DRAIN_SECONDS)
        with self._changed:
            kept = list(self._kept)
        if not kept:
            return 0
        with get_client(sync_client=True) as client:
            there = set(self._there(client, min(line.identity[1] for line in kept)))
            missing = [line.log for line in kept if line.identity not in there]
            for start in range(0, len(missing), PAGE):
                client.create_logs(missing[start : start + PAGE])
        return len(missing)

    def _there(self, client: SyncPrefectClient, since: datetime) -> Iterator[Identity]:
        """The lines of the flow run that Prefect has, from this time on."""
        asked = LogFilter(
            flow_run_id=LogFilterFlowRunId(any_=[UUID(self._flow_run_id)]),
            timestamp=LogFilterTimestamp.model_validate({"after_": since}),
        )
        offset, more = 0, True
        while more:
            page = client.read_logs(asked, limit=PAGE, offset=offset, sort=LogSort.TIMESTAMP_ASC)
            for log in page:
                yield str(log.task_run_id) if log.task_run_id else None, _time(str(log.timestamp)), log.message
            offset += len(page)
            more = len(page) == PAGE

    def _watch(self) -> None:
        if is_over := self._closing.wait(ASK_SECONDS):  # a short run needs no client
            return
        failures = 0
        # With other settings than the flow's client, this is a client of its own: that one waits for a minute.
        with asking_once(), get_client(httpx_settings=answered_within(ANSWER_SECONDS), sync_client=True) as client:
            while not is_over:
                asked = time.monotonic()
                if client.api_healthcheck() is None:
                    failures = self._found(asked, failures)
                else:
                    failures += 1
                    self._there_since, self._was_away = None, True
                    if failures == WORTH_A_LINE:
                        self._notify("Prefect does not answer: the stages go on, and it gets what it missed when it is back")
                is_over = self._closing.wait(ASK_SECONDS)

    def _found(self, asked: float, failures: int) -> int:
        """Prefect answers. Forget the lines that it must have got."""
        if self._there_since is None:
            self._there_since = asked
        if failures >= WORTH_A_LINE:
            self._notify("Prefect answers again")
        self._forget(before=asked - SETTLED_SECONDS, since=self._there_since)
        return 0

    def _forget(self, *, before: float, since: float) -> None:
        """Forget the lines that were made in this time. Earlier ones were made when Prefect was away, or shortly before."""
        with self._changed:
            kept = [line for line in self._kept if not since <= line.made < before]
            self._kept.clear()
            self._kept.extend(kept)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
