"""Durations, sizes and numbers of processors, as people write them in the YAML and in settings.

The regular expressions are shared with the JSON schema of the language, so they mean the same in Python and in ECMA-262.
"""

from __future__ import annotations

import re

MIN_MEMORY = 6 * 1024 * 1024
"""Bytes. The minimum of the Docker engine."""

MIN_CPUS = 0.01
"""The minimum of the Docker engine."""

MIN_DURATION = 0.001
"""Seconds. Nothing can be done in less time."""

_PART = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"

DURATION = rf"(?:({_PART})h)?(?:({_PART})m)?(?:({_PART})s)?"
SIZE = r"([0-9]{1,12}(?:\.[0-9]{1,9})?)[\t-\r ]?([kKmMgGtT]?)(?:[iI]?[bB])?"
NUMBER = rf"{_PART}|\.[0-9]{{1,9}}"

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_DURATION, _SIZE, _NUMBER = (re.compile(rf"(?:{source})\Z") for source in (DURATION, SIZE, NUMBER))


def seconds_of(text: str) -> float | None:
    """Return `90s`, `5m` or `1h30m` in seconds; None if the text is not a duration."""
    match = _DURATION.match(text)
    if match is None or not text:
        return None
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return _plain(3600 * hours + 60 * minutes + seconds)


def bytes_of(text: str) -> int | None:
    """Return `512m`, as `docker run --memory` accepts it, in bytes; None if the text is not a size."""
    match = _SIZE.match(text)
    return int(float(match[1]) * _UNITS[match[2].lower()]) if match else None


def processors_of(text: str) -> float | None:
    """Return `0.5` as a number; None if the text is not a number of processors."""
    return _plain(float(text)) if _NUMBER.match(text) else None


def shown_seconds(seconds: float) -> str:
    """Return a duration in the form that `seconds_of` reads: `1h30m`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [(f"{hours}", "h"), (f"{minutes}", "m"), (f"{rest:.6f}".rstrip("0").rstrip("."), "s")]
    return "".join(f"{number}{unit}" for number, unit in parts if number != "0") or "0s"


def shown_bytes(size: int) -> str:
    """Return the exact size in the form that `bytes_of` reads, in the biggest unit that gives a whole number: `1536m`."""
    unit = next(unit for unit in reversed(_UNITS) if size % _UNITS[unit] == 0)
    return f"{size // _UNITS[unit]}{unit}"


def _plain(number: float) -> float:
    """Return a whole number as an integer, so that it is printed without a decimal point."""
    return int(number) if number == int(number) else number
