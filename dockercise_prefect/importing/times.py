"""Durations of other systems."""

from __future__ import annotations

import re

from dockercise_prefect.quantities import MIN_DURATION, seconds_of, shown_seconds

_PART = re.compile(r"(\d{1,6})\s*(d|h|m|s)[a-z]*", re.IGNORECASE)
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


def duration(text: str) -> str | None:
    """A duration as it is written here: `1 hour 30 minutes` becomes `1h30m`. None if it is not one."""
    rest = _PART.sub("", text).replace("and", "").strip(" ,")
    seconds = sum(int(number) * _SECONDS[unit.lower()] for number, unit in _PART.findall(text))
    if rest or seconds < MIN_DURATION:
        return None
    shown = shown_seconds(seconds)
    return shown if seconds_of(shown) else None


def minutes(text: str) -> str | None:
    """A number of minutes as a duration."""
    return duration(f"{text} m") if text.isascii() and text.isdecimal() else None
