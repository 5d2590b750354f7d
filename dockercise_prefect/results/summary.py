"""The summary of a run: `summary.json`, the output of `run --json`, and the result of a flow (DESIGN section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, StrictInt, TypeAdapter

from dockercise_prefect.results.tests.counts import TestCounts
from dockercise_prefect.status import RunStatus, StageStatus


def _in_a_zone(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("a time without a time zone")
    return text


Time: TypeAlias = Annotated[str, AfterValidator(_in_a_zone)]
"""A time in ISO 8601 with its zone, which is UTC in what we write."""


@dataclass(frozen=True, slots=True)
class AttemptSummary:
    """An attempt at a stage that was made again afterwards."""

    attempt: int
    status: StageStatus
    exit_code: int | None
    started: Time
    finished: Time
    message: str | None


@dataclass(frozen=True, slots=True)
class AuditSummary:
    """A stage that could have been reused was run all the same, and compared.

    Attributes:
        run_id: the run that it could have been reused from.
        difference: what is not the same as there; None if everything is.
    """

    run_id: str
    difference: str | None = None


@dataclass(frozen=True, slots=True)
class InstanceSummary:
    """Which instance of a stage with `matrix` or `each` an entry is about.

    Attributes:
        of: the stage as it was written.
        key: the text in the brackets of the instance's name.
    """

    of: str
    key: str


@dataclass(frozen=True, slots=True)
class ApprovalSummary:
    """The answer to the question whether a stage may run (`approve`).

    Attributes:
        answer: `none` if nobody answered in time.
        by: the name that whoever answered has given; nobody has verified it. None if nobody gave one.
    """

    answer: Literal["yes", "no", "none"]
    at: Time
    by: str | None = None

    @property
    def in_words(self) -> str:
        """`approved by ann (not verified)`."""
        if self.answer == "none":
            return "nobody answered in time"
        who = f" by {self.by} (not verified)" if self.by else " by somebody who gave no name"
        return ("approved" if self.answer == "yes" else "refused") + who


@dataclass(frozen=True, slots=True)
class StageSummary:
    """The entry of one stage in the summary. A stage that never started, or that is reused, has no times.

    Attributes:
        started: the begin of the first attempt.
        attempts: the number of attempts; None if the stage never started, or in a record of an earlier version.
        because: the stage because of which this one never started; None if there is no such stage.
        reused_from: the run that the stage is reused from; None if it is not reused.
        audit: how the stage compares with what could have been reused; None if it was not compared.
        instance: which instance of a stage it is; None if it is not an instance.
        tests: how many tests its reports have; None if there is no report.
        approval: what was answered to the question of its `approve`; None if nobody was asked.
    """

    status: StageStatus
    exit_code: StrictInt | None = None
    started: Time | None = None
    finished: Time | None = None
    image_digest: str | None = None
    task_run_id: str | None = None
    message: str | None = None
    attempts: StrictInt | None = None
    because: str | None = None
    reused_from: str | None = None
    audit: AuditSummary | None = None
    instance: InstanceSummary | None = None
    tests: TestCounts | None = None
    approval: ApprovalSummary | None = None

    @property
    def approved_by(self) -> str | None:
        """The name that whoever approved the stage has given; None if nobody did."""
        return self.approval.by if self.approval is not None and self.approval.answer == "yes" else None

    @property
    def seconds(self) -> float | None:
        """How many seconds the stage took; None if it never started or has not ended."""
        return _seconds(self.started, self.finished)

    @property
    def headline(self) -> str:
        """How the stage ended, in one line. The message may have more lines."""
        how = _first_line(self.message or "") or self.status.value.replace("_", " ")
        return f"{how}, {self.at_attempt}" if self.at_attempt else how

    @property
    def at_attempt(self) -> str:
        """`at attempt 3`; empty for a stage that was not run again."""
        return f"at attempt {self.attempts}" if self.attempts is not None and self.attempts > 1 else ""

    def to_json(self) -> dict[str, Any]:
        """The entry of the stage in `summary.json`."""
        audit = None if self.audit is None else asdict(self.audit)
        parts = {name: asdict(part) for name in _LEFT_OUT if (part := getattr(self, name)) is not None}
        answer = {} if self.approval is None else {"approved_by": self.approved_by}
        return {**{name: getattr(self, name) for name in _OF_A_STAGE}, "audit": audit, **parts, **answer}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StageSummary:
        """Parse the result of `to_json`. Unknown keys are ignored, missing keys become None.

        Raises:
            ValueError: the object is not the entry of a stage.
        """
        return _STAGES.validate_python(data)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The summary of a run.

    Attributes:
        error: what went wrong outside the stages; None if nothing did.
        results: the absolute URL of the run's folder.
        code_digest: the digest of the run's snapshot of the code (docs/digests.md); None if no stage used it.
    """

    run_id: str
    pipeline: str
    status: RunStatus
    error: str | None = None
    started: Time | None = None
    finished: Time | None = None
    flow_run_id: str | None = None
    flow_run_url: str | None = None
    results: str | None = None
    code_digest: str | None = None
    stages: Mapping[str, StageSummary] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        """How many seconds the run took; None if it never began."""
        return _seconds(self.started, self.finished)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the run did not pass, one line for each reason: the error outside the stages, otherwise every stage to blame.

        Of a stage with `each`, the group is named, and its headline names members that failed.
        """
        if self.error:
            return (_first_line(self.error),)
        return tuple(
            f"{name} ({stage.headline})"
            for name, stage in self.stages.items()
            if stage.status.to_blame and not self.is_member(name)
        )

    def is_member(self, name: str) -> bool:
        """Whether an entry is about a member of a group, which has an entry too (`each`)."""
        instance = self.stages[name].instance
        return instance is not None and instance.of in self.stages

    def to_json(self) -> dict[str, Any]:
        """The object of `summary.json`."""
        return {
            **{name: getattr(self, name) for name in _OF_A_RUN},
            "stages": {name: stage.to_json() for name, stage in self.stages.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunSummary:
        """Parse the result of `to_json`. Unknown keys are ignored, missing keys become None.

        Raises:
            ValueError: the object is not a summary.
        """
        return _RUNS.validate_python(data)


# `asdict` copies each value, which takes most of the time of a record with thousands of stages.
_LEFT_OUT = ("instance", "tests", "approval")
"""Parts that most stages do not have. They are left out of the entries of those."""

_OF_A_STAGE = tuple(one.name for one in fields(StageSummary) if one.name not in _LEFT_OUT)
_OF_A_RUN = tuple(one.name for one in fields(RunSummary))
_STAGES = TypeAdapter(StageSummary)
_RUNS = TypeAdapter(RunSummary)


def _seconds(started: str | None, finished: str | None) -> float | None:
    if started is None or finished is None:
        return None
    return max(0.0, (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds())


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip()
