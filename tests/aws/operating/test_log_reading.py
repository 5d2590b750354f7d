"""Logs: the lines of a log group, and those that come later, each once and in order."""

from __future__ import annotations

import itertools
import time

import pytest

from dockercise_prefect.aws.operating.log_reading import followed, lines
from tests.support.aws.moto import Aws

pytestmark = pytest.mark.docker  # for the server

GROUP = "dockercise/dockercise"


class Log:
    """A log group with one stream for each stage."""

    def __init__(self, aws: Aws) -> None:
        self.client = aws.client("logs")
        self.client.create_log_group(logGroupName=GROUP)
        self._begin = int(time.time() * 1000) - 30_000

    def add(self, stage: str, *texts: str, seconds: float = 0) -> None:
        """Add lines to the stream of a stage, a number of seconds after the beginning."""
        name = f"infra/r1/{stage}"
        if not self.client.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=name)["logStreams"]:
            self.client.create_log_stream(logGroupName=GROUP, logStreamName=name)
        events = [{"timestamp": self._begin + int(seconds * 1000), "message": text} for text in texts]
        self.client.put_log_events(logGroupName=GROUP, logStreamName=name, logEvents=events)

    @property
    def begin(self) -> float:
        """Seconds since 1970."""
        return self._begin / 1000


def test_lines_of_all_stages(aws: Aws) -> None:
    """The lines of all stages since a moment are in the order of their times."""
    log = Log(aws)
    log.add("greet", "hello", seconds=1)
    log.add("shout", "HELLO", seconds=2)
    log.add("greet", "bye", seconds=3)

    found = [(line.stream, line.text) for line in lines(log.client, GROUP, log.begin + 1.5)]

    assert found == [("infra/r1/shout", "HELLO"), ("infra/r1/greet", "bye")]


def test_following(aws: Aws) -> None:
    """Lines that come later are shown too, those that CloudWatch shows late included, and none twice."""
    log = Log(aws)
    log.add("greet", "one", seconds=1)
    later = iter([("shout", "three", 3), ("greet", "two", 2)])

    def pause() -> None:
        stage, text, seconds = next(later)
        log.add(stage, text, seconds=seconds)

    found = itertools.islice(followed(log.client, GROUP, log.begin, pause), 3)

    assert [line.text for line in found] == ["one", "three", "two"]


def test_a_group_that_is_missing(aws: Aws) -> None:
    """A group without a line is no error."""
    assert list(lines(aws.client("logs"), "dockercise/other", 0)) == []
