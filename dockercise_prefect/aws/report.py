"""What the host reports about itself, in a parameter of SSM that the command line and the door read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from json import dumps

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

LONGEST = 4000
"""The most characters of a report. A standard parameter of SSM holds 4 KB."""

LISTED_RUNS = 10
LISTED_CHANGES = 5
"""How many repositories are always listed, those that changed last: `aws up` waits for what it has just changed."""

_LONGEST_TEXT = 300
_SHORT_TEXT = 80


class Phase(StrEnum):
    """What the host is doing."""

    INSTALLING = "installing"
    READY = "ready"
    WORKING = "working"
    IDLE = "idle"
    STOPPING = "stopping"
    FAILED = "failed"


class RepositoryPhase(StrEnum):
    """Whether a repository is registered."""

    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ReportedRun:
    """A flow run that has not ended."""

    id: str
    deployment: str
    state: str


@dataclass(frozen=True, slots=True)
class LastPush:
    """The push that the host took last.

    Attributes:
        at: when, in seconds since 1970.
        result: what the receiver answered.
    """

    at: int
    repository: str | None
    commit: str | None
    result: str


@dataclass(frozen=True, slots=True)
class RepositoryState:
    """What became of a repository's parameter.

    Attributes:
        version: the version of the parameter that was registered.
        deployment: the name of the deployment, `flow/deployment`; None if there is none.
        message: what is wrong; None if nothing is.
    """

    version: int
    state: RepositoryPhase
    deployment: str | None = None
    message: str | None = None


@with_config(ConfigDict(extra="ignore"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The state of the host. Times are in seconds since 1970.

    Attributes:
        at: when the report was written.
        booted_at: when the host was started.
        worked_at: when work last got ahead: a message was taken, a run changed its state, or a log grew.
        error: what is wrong with the host; None if nothing is.
        package: what is installed, as the parameter `host` names it.
        runs: flow runs that have not ended, at most ten.
        inbox: how many pushes the receiver has stored and not yet started.
        unsent: how many records are not yet in the bucket as a whole.
        waits_for: why the host is awake, in sentences.
        next_schedule: when the next scheduled run is due; None if none is.
        repositories: the state of each repository, by the name of its parameter; those that changed last are the last ones.
    """

    at: int = 0
    booted_at: int = 0
    worked_at: int = 0
    phase: Phase = Phase.INSTALLING
    error: str | None = None
    package: str = ""
    runs: tuple[ReportedRun, ...] = ()
    inbox: int = 0
    unsent: int = 0
    waits_for: tuple[str, ...] = ()
    next_schedule: int | None = None
    last_push: LastPush | None = None
    repositories: Mapping[str, RepositoryState] = field(default_factory=dict)

    def to_text(self) -> str:
        """The report as JSON, at most `LONGEST` characters. If it would be longer, the least important parts are cut."""
        return next(text for text in map(_text, _shorter(self)) if len(text) <= LONGEST)

    @classmethod
    def from_text(cls, text: str) -> Report | None:
        """Parse the result of `to_text`; None if the host has not yet written a report."""
        try:
            return None if text.strip() == "{}" else _REPORTS.validate_json(text)
        except ValidationError:  # a newer version wrote it
            return None


_REPORTS = TypeAdapter(Report)


def _text(report: Report) -> str:
    return dumps(asdict(report), separators=(",", ":"))


def _shorter(report: Report) -> Iterator[Report]:
    """The report with more and more parts cut, down to one that always fits."""
    cut = replace(report, runs=report.runs[:LISTED_RUNS])
    yield cut
    for longest in (_LONGEST_TEXT, _SHORT_TEXT):
        cut = _with_short_texts(cut, longest)
        yield cut
    least_important_first = sorted(
        list(cut.repositories.items())[:-LISTED_CHANGES], key=lambda item: item[1].state is RepositoryPhase.FAILED
    )
    for name, _ in least_important_first:
        cut = replace(cut, repositories={other: one for other, one in cut.repositories.items() if other != name})
        yield cut
    yield replace(cut, runs=(), waits_for=(), last_push=None)
    yield Report(at=report.at, booted_at=report.booted_at, worked_at=report.worked_at, phase=report.phase)


def _with_short_texts(report: Report, longest: int) -> Report:
    return replace(
        report,
        error=_cut(report.error, longest),
        waits_for=tuple(str(_cut(one, longest)) for one in report.waits_for[:LISTED_RUNS]),
        repositories={
            name: replace(one, message=_cut(one.message, longest), deployment=_cut(one.deployment, longest))
            for name, one in report.repositories.items()
        },
    )


def _cut(text: str | None, longest: int) -> str | None:
    return text if text is None or len(text) <= longest else f"{text[: longest - 1]}…"
