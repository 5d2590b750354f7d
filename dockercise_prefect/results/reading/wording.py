"""How states and times are written wherever a person reads them: the terminal, pages, Prefect's UI."""

from __future__ import annotations

from collections.abc import Mapping

from dockercise_prefect.status import StageStatus

MARKS: Mapping[StageStatus, str] = {
    StageStatus.RUNNING: "▸",
    StageStatus.PASSED: "✓",
    StageStatus.FAILED: "✗",
    StageStatus.TOLERATED: "~",
    StageStatus.TIMED_OUT: "✗",
    StageStatus.ERROR: "!",
    StageStatus.CACHED: "=",
    StageStatus.SKIPPED: "-",
    StageStatus.NOT_STARTED: "·",
    StageStatus.CANCELLED: "×",
}
"""A character that says how a stage ended, so that no colour has to say it alone."""

_MINUTES_IN_AN_HOUR = 60
_LONGEST_IN_SECONDS = 99.95


def duration(seconds: float) -> str:
    """`0.4 s`, `2m 05s`, `1h 02m`."""
    if seconds < _LONGEST_IN_SECONDS:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    return f"{minutes}m {left:02}s" if minutes < _MINUTES_IN_AN_HOUR else f"{minutes // 60}h {minutes % 60:02}m"


def words(status: StageStatus) -> str:
    """The state in words: `timed out`."""
    return status.value.replace("_", " ")


def shared_with(base: str) -> str:
    """What a reader of an archive has to know whose stage works on another."""
    return f"files that {base} has are stored with {base}"
