"""The texts for states and times for people: in the terminal, in pages, and in Prefect's UI."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dockercise_prefect.pipeline import Pipeline, parameter_values
from dockercise_prefect.pipeline.parameters.values import shortened, text_of
from dockercise_prefect.results.summary import StageSummary
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
"""A character for the state of a stage, so that the state is not shown by colour alone."""

_MINUTES_IN_AN_HOUR = 60
_LONGEST_IN_SECONDS = 99.95
_KILO = 1024


def duration(seconds: float) -> str:
    """`0.4 s`, `2m 05s`, `1h 02m`."""
    if seconds < _LONGEST_IN_SECONDS:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    return f"{minutes}m {left:02}s" if minutes < _MINUTES_IN_AN_HOUR else f"{minutes // 60}h {minutes % 60:02}m"


def size_words(count: int) -> str:
    """`1 byte`, `12 KB`, `1.4 MB`, `2.0 GB`."""
    if count < _KILO:
        return f"{count} byte{'' if count == 1 else 's'}"
    if count < _KILO**2:
        return f"{count / _KILO:.0f} KB"
    return f"{count / _KILO**2:.1f} MB" if count < _KILO**3 else f"{count / _KILO**3:.1f} GB"


def words(status: StageStatus) -> str:
    """The state in words: `timed out`."""
    return status.value.replace("_", " ")


def shared_with(base: str) -> str:
    """A note for readers of an archive whose stage works on another stage."""
    return f"files that {base} also has are only in the archive of {base}"


def values_in_words(pipeline: Pipeline) -> str:
    """The values of the parameters of a run, on one line. Empty if it has none."""
    return ", ".join(f"{name}={shortened(text_of(value))}" for name, value in parameter_values(pipeline).items())


def audited(stages: Iterable[StageSummary]) -> str:
    """How many stages were run although they could be reused, and how many of them differ. Empty if there were none."""
    found = [stage.audit for stage in stages if stage.audit is not None]
    differing = sum(audit.difference is not None for audit in found)
    if not found:
        return ""
    those = "1 stage that could be reused was" if len(found) == 1 else f"{len(found)} stages that could be reused were"
    return f"{those} run and compared; {differing or 'none'} left something else"
