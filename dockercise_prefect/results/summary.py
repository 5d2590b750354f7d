"""What is said of a run in the end: `summary.json`, `run --json`, and what a flow returns (DESIGN section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from dockercise_prefect.status import RunStatus, StageStatus


@dataclass(frozen=True, slots=True)
class StageSummary:
    """One stage's line of the summary; times are ISO 8601 in UTC, None for a stage that never started."""

    status: StageStatus
    exit_code: int | None = None
    started: str | None = None
    finished: str | None = None
    image_digest: str | None = None
    task_run_id: str | None = None
    message: str | None = None

    @property
    def seconds(self) -> float | None:
        """How long it took; None for a stage that never started or has not ended."""
        return _seconds(self.started, self.finished)

    @property
    def headline(self) -> str:
        """How it ended, in one line; more may follow in the message."""
        return _first_line(self.message or "") or self.status.value.replace("_", " ")

    def to_json(self) -> dict[str, Any]:
        """Its entry of `summary.json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in one value.

    Attributes:
        error: what went wrong outside the stages, None when nothing did.
        results: the absolute URL of the run's folder.
    """

    run_id: str
    pipeline: str
    status: RunStatus
    error: str | None = None
    started: str | None = None
    finished: str | None = None
    flow_run_id: str | None = None
    flow_run_url: str | None = None
    results: str | None = None
    stages: Mapping[str, StageSummary] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        """How long it took; None for one that never began."""
        return _seconds(self.started, self.finished)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it did not pass, a line each: what went wrong outside the stages, else every stage that is to blame."""
        if self.error:
            return (_first_line(self.error),)
        return tuple(f"{name} ({stage.headline})" for name, stage in self.stages.items() if stage.status.to_blame)

    def to_json(self) -> dict[str, Any]:
        """The object of `summary.json`."""
        return asdict(self)


def _seconds(started: str | None, finished: str | None) -> float | None:
    if started is None or finished is None:
        return None
    return max(0.0, (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds())


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip()
