"""Sizes and times, rounded for people."""

from __future__ import annotations

from typing import Final

BYTES_OF: Final[dict[str, int]] = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def shown_size(size: int) -> str:
    """A size in bytes, with two digits or more: `1.2 GB`."""
    unit = next((unit for unit in reversed(BYTES_OF) if size >= BYTES_OF[unit]), "B")
    number = size / BYTES_OF[unit]
    return f"{number:.1f} {unit}" if number < 10 and unit != "B" else f"{number:.0f} {unit}"  # noqa: PLR2004  one digit


def shown_time(seconds: float) -> str:
    """How long an answer took: `12 ms`, `1.5 s`."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
