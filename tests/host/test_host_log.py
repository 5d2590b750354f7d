"""The log of the host's units in CloudWatch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from dockercise_prefect.errors import StorageError
from dockercise_prefect.host.host_log import FILE, LONGEST_BYTES, HostLog
from tests.support.aws.moto import Aws

pytestmark = pytest.mark.docker  # for the server

NOW = time.time()


def entry(number: int, message: object, *, age: float = 0, unit: str = "dockercise-worker.service") -> dict[str, Any]:
    """An entry as journalctl writes it in JSON."""
    moment = str(int((NOW - age) * 1_000_000) + number)
    return {"__CURSOR": f"c{number}", "__REALTIME_TIMESTAMP": moment, "_SYSTEMD_UNIT": unit, "MESSAGE": message}


class Journal:
    """A journal whose entries the test sets, in which each cursor is known."""

    def __init__(self, *entries: dict[str, Any]) -> None:
        self.entries = list(entries)

    def after(self, cursor: str | None) -> list[dict[str, Any]]:
        """The entries after a cursor."""
        cursors = [one["__CURSOR"] for one in self.entries]
        return self.entries[cursors.index(cursor) + 1 if cursor else 0 :]


@pytest.fixture
def group(aws: Aws) -> str:
    """A new log group."""
    name = f"dockercise/{uuid4().hex}/host"
    aws.client("logs").create_log_group(logGroupName=name)
    return name


def log_of(aws: Aws, group: str, folder: Path, journal: Journal) -> HostLog:
    """The log of a process that has just started."""
    return HostLog(aws.client("logs"), group, "box", folder, entries=journal.after)


def test_each_line_is_sent_once(aws: Aws, group: str, tmp_path: Path) -> None:
    """Lines are sent with their units, in order, and the next process goes on after the last one."""
    journal = Journal(entry(1, "first"), entry(2, "second", unit="docker.service"))
    log = log_of(aws, group, tmp_path, journal)

    assert log.send()
    assert not log.send()
    journal.entries.append(entry(3, "third"))
    assert log_of(aws, group, tmp_path, journal).send()

    assert aws.log_streams(group) == {"box": ["dockercise-worker: first", "docker: second", "dockercise-worker: third"]}


def test_lines_of_any_kind_are_sent(aws: Aws, group: str, tmp_path: Path) -> None:
    """Bytes that are not text, no message, and very long lines are sent as far as CloudWatch takes them."""
    journal = Journal(entry(1, [104, 255, 105]), entry(2, None), entry(3, "é" * 5000))

    log_of(aws, group, tmp_path, journal).send()

    (lines,) = aws.log_streams(group).values()
    assert lines[:2] == ["dockercise-worker: h\ufffdi", "dockercise-worker: "]
    assert lines[2] == "dockercise-worker: " + "é" * (LONGEST_BYTES // 2)


def test_a_sleep_of_days_is_no_obstacle(aws: Aws, group: str, tmp_path: Path) -> None:
    """Lines from before and after a long sleep are sent apart, because CloudWatch takes no two that are a day apart at once."""
    journal = Journal(entry(1, "good night", age=2 * 86400), entry(2, "good morning"))
    log = log_of(aws, group, tmp_path, journal)

    assert [log.send(), log.send(), log.send()] == [True, True, False]
    assert aws.log_streams(group) == {"box": ["dockercise-worker: good night", "dockercise-worker: good morning"]}


def test_what_could_not_be_sent_is_sent_again(aws: Aws, tmp_path: Path) -> None:
    """If the log group is missing, nothing is forgotten: it is sent when the group is there."""
    name = f"dockercise/{uuid4().hex}/host"
    journal = Journal(entry(1, "first"))
    log = log_of(aws, name, tmp_path, journal)

    with pytest.raises(StorageError, match="cannot make a stream in the log group"):
        log.send()
    assert not (tmp_path / FILE).exists()
    aws.client("logs").create_log_group(logGroupName=name)
    log.send()

    assert aws.log_streams(name) == {"box": ["dockercise-worker: first"]}
