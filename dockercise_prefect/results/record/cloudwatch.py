"""Sends the output of stages, line by line, to CloudWatch Logs: one log stream for each stage of each run."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.errors import StorageError
from dockercise_prefect.results.places.aws import aws_client, aws_errors
from dockercise_prefect.results.places.objects import RefusedError
from dockercise_prefect.settings import Settings

MOST_EVENTS = 10_000
MOST_BYTES = 1_048_576
EVENT_BYTES = 26
LONGEST_SPAN_MS = 24 * 3600 * 1000
"""The limits of one request: the number of events; the bytes of their texts, plus `EVENT_BYTES` for each event; and the time
between the first and the last event (CloudWatch Logs' documentation of PutLogEvents)."""

FLUSH_SECONDS = 1.0
"""How many seconds a line waits for other lines, to be sent in one request."""

MOST_WAITING = 8 * 1024 * 1024
"""The maximum number of bytes that wait to be sent. A stage that prints faster than the service accepts has to wait."""

SHIPPING_SECONDS = 60.0
"""For how many seconds a request to a failing service is repeated."""

PAUSE = 2.0
"""Seconds between two tries."""

_REFUSED_IN_NAMES = re.compile(r"[:*]")


@dataclass(frozen=True, slots=True)
class _Event:
    milliseconds: int
    text: str
    size: int


@dataclass(slots=True)
class _Stream:
    name: str
    events: deque[_Event] = field(default_factory=deque)
    made: bool = False

    def batch(self, most: int) -> list[_Event]:
        """The oldest events: at most `most`, and at most as many as one request can have."""
        taken: list[_Event] = []
        size = 0
        for event in islice(self.events, min(most, MOST_EVENTS)):
            size += event.size
            if taken and (size > MOST_BYTES or event.milliseconds - taken[0].milliseconds >= LONGEST_SPAN_MS):
                break
            taken.append(event)
        return taken


class CloudWatchLogs:
    """The logs of one run. Thread-safe. Sends in the background, in order.

    Args:
        group: the log group, which is created if it is missing.
        run: the beginning of the names of the streams: `<pipeline>/<run-id>`.
        settings: the settings for access to the service.
        notify: called once with a message, when no more is sent because the service failed.

    Raises:
        RefusedError: AWS cannot be used at all.
    """

    def __init__(self, group: str, run: str, settings: Settings, notify: Callable[[str], None]) -> None:
        self._group = group
        self._run = run
        self._notify = notify
        self._client: Any = aws_client("logs", settings)
        self._changed = threading.Condition()
        self._streams: dict[str, _Stream] = {}
        self._waiting = 0
        self._closing = False
        self._failure: StorageError | None = None
        self._try_group()
        self._thread = threading.Thread(target=self._work, name="cloudwatch", daemon=True)
        self._thread.start()

    def stream(self, stage: str) -> Callable[[str], None]:
        """A function that sends a line of the stage, without its end of line. It blocks while too much waits to be sent."""
        wanted = _REFUSED_IN_NAMES.sub("_", f"{self._run}/{stage}")
        with self._changed:
            name, count = wanted, 1
            while name in self._streams:
                count += 1
                name = f"{wanted}-{count}"
            stream = self._streams[name] = _Stream(name)
            self._changed.notify_all()
        return lambda line: self._append(stream, line)

    def close(self) -> None:
        """Wait until everything has been sent.

        Raises:
            StorageError: the service failed, and the rest was not sent.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        if self._failure is not None:
            message = f"not all logs are in the log group {self._group}: {self._failure.message}"
            raise StorageError(message, self._failure.hint or "the full logs are in the results")

    def _append(self, stream: _Stream, line: str) -> None:
        text = line or " "  # the service does not accept empty texts
        event = _Event(int(time.time() * 1000), text, len(text.encode("utf-8", "replace")) + EVENT_BYTES)
        with self._changed:
            self._changed.wait_for(lambda: self._waiting < MOST_WAITING or self._failure)
            if self._failure is None:
                stream.events.append(event)
                self._waiting += event.size
                if self._waiting >= MOST_BYTES:
                    self._changed.notify_all()

    def _try_group(self) -> None:
        """Try to create the group. A failure is ignored, because the group may already exist: the first stream will show it."""
        try:
            self._make_group()
        except RefusedError as error:
            if not isinstance(error.__cause__, ClientError):
                raise
        except StorageError:  # the service may work again when there is something to send
            return

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._waiting >= MOST_BYTES, FLUSH_SECONDS)
                closing, streams = self._closing, list(self._streams.values())
            try:
                for stream in streams:
                    self._send(stream)
            except StorageError as error:
                self._give_up(error)
                return
            except Exception as error:  # noqa: BLE001  without this thread, stages would wait forever
                self._give_up(StorageError(f"{type(error).__name__}: {error}"))
                return
            if closing:
                return

    def _send(self, stream: _Stream) -> None:
        """Send all events that the stream has now. For later events, the other streams come first."""
        if not stream.made:
            self._patiently(lambda: self._make(stream))
            stream.made = True
        left = len(stream.events)
        while left:
            with self._changed:  # a stage appends at any time
                batch = stream.batch(left)
            self._patiently(lambda events=batch: self._put(stream, events))  # type: ignore[misc]  # a default has no type
            with self._changed:
                for event in batch:
                    stream.events.popleft()
                    self._waiting -= event.size
                self._changed.notify_all()
            left -= len(batch)

    def _make(self, stream: _Stream) -> None:
        """Create the stream; also its group, if that could not be created in the beginning, or was removed."""
        try:
            self._make_stream(stream)
        except RefusedError as error:
            if not isinstance(error.__cause__, self._client.exceptions.ResourceNotFoundException):
                raise
            self._make_group()
            self._make_stream(stream)

    def _make_group(self) -> None:
        there_is_one = self._client.exceptions.ResourceAlreadyExistsException
        with aws_errors(f"cannot create the log group {self._group}"), suppress(there_is_one):
            self._client.create_log_group(logGroupName=self._group)

    def _make_stream(self, stream: _Stream) -> None:
        there_is_one = self._client.exceptions.ResourceAlreadyExistsException
        with aws_errors(f"cannot create the log stream {stream.name}"), suppress(there_is_one):
            self._client.create_log_stream(logGroupName=self._group, logStreamName=stream.name)

    def _put(self, stream: _Stream, events: list[_Event]) -> None:
        latest = 0
        entries = []
        for event in events:  # if the clock was set back, an event still does not get an earlier time than the event before it
            latest = max(latest, event.milliseconds)
            entries.append({"timestamp": latest, "message": event.text})
        with aws_errors(f"cannot write to the log stream {stream.name}"):
            answer = self._client.put_log_events(logGroupName=self._group, logStreamName=stream.name, logEvents=entries)
        if answer.get("rejectedLogEventsInfo"):
            raise RefusedError(
                f"the log stream {stream.name} does not accept events with this time", "is the clock of this machine right?"
            )

    def _patiently(self, call: Callable[[], None]) -> None:
        """Repeat the call while the service fails temporarily.

        Raises:
            StorageError: the service refuses, or has failed for too long.
        """
        deadline = time.monotonic() + SHIPPING_SECONDS
        while True:
            try:
                call()
            except RefusedError:
                raise
            except StorageError:
                if time.monotonic() + PAUSE > deadline:
                    raise
                time.sleep(PAUSE)
            else:
                return

    def _give_up(self, error: StorageError) -> None:
        with self._changed:
            self._failure = error
            for stream in self._streams.values():
                stream.events.clear()
            self._changed.notify_all()
        self._notify(f"logs are no longer sent to CloudWatch: {error}")
