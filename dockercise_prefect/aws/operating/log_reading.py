"""`aws logs`: reads the log groups of a stack, and follows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.account import calling

OVERLAP_MS = 60_000
"""Milliseconds. CloudWatch may show a line this much later than others, so followers read the last minute again."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a log.

    Attributes:
        stream: the log stream: `PIPELINE/RUN/STAGE` for stages.
    """

    at: datetime
    stream: str
    text: str


def lines(client: Any, group: str, since: float) -> Iterator[LogLine]:
    """The lines of a log group, oldest first.

    Args:
        client: boto3's client for CloudWatch Logs.
        since: seconds since 1970.

    Raises:
        StorageError: AWS does not answer, or refuses.
    """
    for _, line in _events(client, group, int(since * 1000)):
        yield line


def followed(client: Any, group: str, since: float, pause: Callable[[], None]) -> Iterator[LogLine]:
    """The lines of a log group, and then new ones as they come, without end.

    Args:
        pause: called between two looks.
    """
    begin, known = int(since * 1000), dict[str, int]()
    while True:
        newest = begin
        for event, line in _events(client, group, begin):
            at = int(line.at.timestamp() * 1000)
            newest = max(newest, at)
            if event not in known:
                known[event] = at
                yield line
        begin = max(begin, newest - OVERLAP_MS)
        known = {event: at for event, at in known.items() if at >= begin}
        pause()


def _events(client: Any, group: str, since_ms: int) -> Iterator[tuple[str, LogLine]]:
    with calling(f"cannot read the log group {group}", "logs:FilterLogEvents"):
        try:
            for page in client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since_ms):
                for event in sorted(page["events"], key=lambda one: one["timestamp"]):
                    at = datetime.fromtimestamp(event["timestamp"] / 1000, tz=UTC)
                    yield event["eventId"], LogLine(at, event["logStreamName"], event["message"].rstrip("\n"))
        except ClientError as error:
            # The group is made with the stack, so a missing one is one without lines.
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
