"""Functions that read the values of settings. Each returns the value or raises `ValueError` with what is allowed."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from dockercise_prefect.quantities import MIN_CPUS, MIN_DURATION, MIN_MEMORY, bytes_of, processors_of, seconds_of

LONGEST_LINK_HOURS = 7 * 24
"""Signatures of version 4 hold for a week at most (S3's documentation of pre-signed URLs)."""

LEAST_SILENCE = 120
"""Signs of life are sent every 30 seconds, and some of them may be lost."""

USUAL_PIDS = 4096
"""How many processes and threads a stage may have. A build on a big machine has some hundred; Podman allows 2,048."""

LEAST_PROCESSES = 32
"""With fewer processes and threads, most programs cannot start."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was given. Relative paths are resolved below `base`; they are refused if `base` is None."""

    value: object
    origin: str
    home: Path
    base: Path | None


def count(given: Given, least: int) -> int:
    """A whole number, `least` or more."""
    number = given.value.strip() if isinstance(given.value, str) else given.value
    if isinstance(number, str) and re.fullmatch(r"[0-9]{1,9}", number):
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or number < least:
        raise ValueError(f"must be a whole number, {least} or more")
    return number


def positive(given: Given) -> int:
    """A whole number, 1 or more."""
    return count(given, 1)


def natural(given: Given) -> int:
    """A whole number, 0 or more."""
    return count(given, 0)


def text(given: Given) -> str:
    """A text that is not empty."""
    if not isinstance(given.value, str | Path) or not str(given.value).strip():
        raise ValueError("must be a string that is not empty")
    return str(given.value)


def endpoint(given: Given) -> str:
    """The address of a server."""
    said = text(given).strip()
    if not re.fullmatch(r"https?://[^/?#\s@]+/?", said):
        raise ValueError("must be an address like https://host:port")
    return said


def role(given: Given) -> str:
    """A role's ARN."""
    said = text(given).strip()
    if not re.fullmatch(r"arn:[\w-]+:iam::\d{12}:role/\S+", said, re.ASCII):
        raise ValueError("must be the ARN of a role, like arn:aws:iam::123456789012:role/name")
    return said


def client_id(given: Given) -> str:
    """The id of an app on GitHub: `Iv23liAbCdEfGhIjKlMn`."""
    said = text(given).strip()
    if not re.fullmatch(r"[\w.-]{8,100}", said, re.ASCII):
        raise ValueError("must be the client id of an app on GitHub: letters, digits and `._-`")
    return said


def external_id(given: Given) -> str:
    """The external id of a role's trust (AWS, STS API Reference, AssumeRole)."""
    said = text(given).strip()
    if not re.fullmatch(r"[\w+=,.@:/-]{2,1224}", said, re.ASCII):
        raise ValueError("must have 2 to 1,224 letters, digits and `_+=,.@:/-`")
    return said


def log_group(given: Given) -> str:
    """A log group's name."""
    said = text(given).strip()
    if not re.fullmatch(r"[A-Za-z0-9._/#-]{1,512}", said):
        raise ValueError("must be the name of a log group: letters, digits and `._/#-`")
    return said


def hosts(given: Given) -> tuple[str, ...]:
    """Names of hosts, as a list or separated by commas."""
    names = given.value if isinstance(given.value, list) else text(given).split(",")
    said = [str(name).strip().lower() for name in names]
    if not said or not all(re.fullmatch(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]", name, re.ASCII) for name in said):
        raise ValueError("must be names of hosts, separated by commas, without a scheme or a port")
    return tuple(said)


def encryption(given: Given) -> str:
    """How objects are encrypted."""
    said = text(given).strip()
    if said not in {"AES256", "aws:kms"}:
        raise ValueError("must be `AES256` or `aws:kms`")
    return said


def link_hours(given: Given) -> int:
    """Hours that a signed link works."""
    hours = count(given, 0)
    if hours > LONGEST_LINK_HOURS:
        raise ValueError(f"must be {LONGEST_LINK_HOURS} or less: S3 does not sign links for more than seven days")
    return hours


def folder(given: Given) -> Path:
    """An absolute folder. `~/` is the home."""
    said = text(given)
    path = given.home / said[2:] if said.startswith("~/") else Path(said)
    if not path.is_absolute():
        if given.base is None:
            raise ValueError("must be an absolute path, or begin with `~/`")
        path = given.base / path
    return Path(os.path.normpath(path))


def place(given: Given) -> str:
    """A folder or a URL."""
    said = text(given)
    return said if "://" in said else str(folder(given))


def switch(given: Given) -> bool:
    """`true` or `false`, in upper or lower case."""
    said = str(given.value).strip().lower() if isinstance(given.value, str | bool) else ""
    if said not in {"true", "false"}:
        raise ValueError("must be `true` or `false`")
    return said == "true"


def processors(given: Given) -> float:
    """A number of processors, in the format of `cpus`."""
    number = processors_of(_written(given))
    if number is None or number < MIN_CPUS:
        raise ValueError(f"must be a number of processors, {MIN_CPUS} or more")
    return number


def size(given: Given) -> int:
    """Bytes, in the format of `memory`."""
    size_in_bytes = bytes_of(_written(given))
    if size_in_bytes is None or size_in_bytes < MIN_MEMORY:
        raise ValueError("must be a size like 512m or 2g, 6m or more")
    return size_in_bytes


def amount(given: Given) -> int:
    """Bytes of data, in the format of `memory`."""
    size_in_bytes = bytes_of(_written(given))
    if not size_in_bytes:
        raise ValueError("must be a size like 500k, 100m or 2g")
    return size_in_bytes


def processes(given: Given) -> int:
    """The maximum number of processes and threads of a container. An engine needs about a dozen to start a container."""
    return count(given, LEAST_PROCESSES)


def duration(given: Given) -> float:
    """Seconds, in the format of `timeout`."""
    seconds = seconds_of(_written(given))
    if seconds is None or seconds < MIN_DURATION:
        raise ValueError("must be a duration like 1h30m, 5m or 90s")
    return seconds


def silence(given: Given) -> float:
    """Seconds without a sign of life."""
    seconds = seconds_of(_written(given))
    if seconds is None or seconds < LEAST_SILENCE:
        raise ValueError(f"must be a duration like 10m or 1h, {LEAST_SILENCE} s or more")
    return seconds


def _written(given: Given) -> str:
    """Return a number of the file as it is written. For any other type, return a text that is not a quantity."""
    is_quantity = isinstance(given.value, str | int | float) and not isinstance(given.value, bool)
    return str(given.value).strip() if is_quantity else ""
