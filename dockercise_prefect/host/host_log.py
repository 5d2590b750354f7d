"""Sends the log of the host's units to CloudWatch, so that it can be read while the host is asleep."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from dockercise_prefect.errors import StorageError
from dockercise_prefect.results.places.aws import aws_errors
from dockercise_prefect.results.places.files import make_folder, storing, write_json

FILE = "journal.json"

MOST_EVENTS = 1000
LONGEST_BYTES = 900
LONGEST_SPAN_MS = 24 * 3600 * 1000
"""The limits of one request: with them, it has less than one megabyte, and less than a day between the first and the last event
(CloudWatch Logs' documentation of PutLogEvents)."""

_JOURNAL = ("journalctl", "--quiet", "--output=json", "--unit=dockercise-*", "--unit=docker.service")

Entry = dict[str, Any]


def journal(cursor: str | None) -> list[Entry]:
    """The next entries of the host's units in systemd's journal, at most `MOST_EVENTS`.

    Args:
        cursor: the entry after which to begin; None for the beginning of this boot. A cursor that the journal does not know any
            more counts as None.

    Raises:
        StorageError: the journal cannot be read.
    """
    if cursor is None:
        return _read("--boot")[0]
    found, known = _read("--after-cursor", cursor)
    return found if known else _read("--boot")[0]


def _read(*where: str) -> tuple[list[Entry], bool]:
    """The entries, and whether journalctl knew where to begin."""
    try:
        with subprocess.Popen([*_JOURNAL, *where], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            lines = list(islice(process.stdout or [], MOST_EVENTS))
            if len(lines) == MOST_EVENTS:
                process.kill()  # there may be many more, which are read next time
                return [json.loads(line) for line in lines], True
        return [json.loads(line) for line in lines], process.returncode == 0
    except OSError as error:
        raise StorageError(f"cannot run journalctl: {error.strerror}", "is this a machine with systemd?") from error


class HostLog:
    """Sends the journal in pieces, and remembers up to where. A line may be sent twice if the host dies, but none is left out.

    Args:
        client: boto3's client for CloudWatch Logs.
        group: the log group.
        stream: the log stream, which is made if it is missing.
        folder: where to remember it: on the disk that has the journal.
        entries: reads the journal; see `journal`.
    """

    def __init__(
        self, client: Any, group: str, stream: str, folder: Path, *, entries: Callable[[str | None], list[Entry]] = journal
    ) -> None:
        self._client = client
        self._group = group
        self._stream = stream
        self._file = folder / FILE
        self._entries = entries
        self._is_made = False

    def send(self) -> bool:
        """Send the next piece. Returns whether there was one.

        Raises:
            StorageError: CloudWatch does not answer, or the journal cannot be read. The next call sends the same.
        """
        piece = _within_a_day(self._entries(self._cursor()))
        if not piece:
            return False
        self._make_stream()
        events = sorted((_event(one) for one in piece), key=lambda event: int(event["timestamp"]))
        with aws_errors(f"cannot write to the log group {self._group}"):
            self._client.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=events)
        with storing(self._file):
            make_folder(self._file.parent)
            write_json(self._file, {"cursor": piece[-1]["__CURSOR"]})
        return True

    def _cursor(self) -> str | None:
        try:
            return str(json.loads(self._file.read_text(encoding="utf-8"))["cursor"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _make_stream(self) -> None:
        if self._is_made:
            return
        there_is_one = self._client.exceptions.ResourceAlreadyExistsException
        with aws_errors(f"cannot make a stream in the log group {self._group}"), suppress(there_is_one):
            self._client.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        self._is_made = True


def _within_a_day(entries: Sequence[Entry]) -> Sequence[Entry]:
    """The first entries, up to one that is a day away from the first: the host may have been asleep in between."""
    first = _milliseconds(entries[0]) if entries else 0
    far = (place for place, one in enumerate(entries) if abs(_milliseconds(one) - first) >= LONGEST_SPAN_MS // 2)
    return entries[: next(far, len(entries))]


def _milliseconds(entry: Entry) -> int:
    return int(entry["__REALTIME_TIMESTAMP"]) // 1000


def _event(entry: Entry) -> Entry:
    """An entry of the journal as an event of CloudWatch: `dockercise-worker: …`."""
    message = entry.get("MESSAGE")
    text = bytes(message) if isinstance(message, list) else str(message or "").encode()  # a list: not UTF-8
    unit = str(entry.get("_SYSTEMD_UNIT") or entry.get("UNIT") or "").removesuffix(".service")
    shown = f"{unit}: {text[:LONGEST_BYTES].decode('utf-8', 'replace')}"
    return {"timestamp": _milliseconds(entry), "message": shown}
