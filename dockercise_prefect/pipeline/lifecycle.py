"""How a stage goes: when it runs, and what happens when it fails (LANGUAGE section 7)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from dockercise_prefect.pipeline.run_context import RunEvent

STOP_GRACE: float = 10
"""Seconds between SIGTERM and SIGKILL for a stage that does not set `stopGrace`."""

CLEANUP_GRACE: float = 60
"""Seconds that all clean-up stages have together after a run was stopped, if `meta.cleanupGrace` is not set."""


class RunsOn(StrEnum):
    """After which outcome of the stages that it comes after a stage runs."""

    SUCCESS = "success"
    FAILURE = "failure"
    ALWAYS = "always"


class RetryReason(StrEnum):
    """A failure without an exit code of the script."""

    TIMEOUT = "timeout"
    OOM = "oom"
    ERROR = "error"


RetryOn: TypeAlias = int | RetryReason
"""An exit code, or another failure."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a stage that fails is run again.

    Attributes:
        times: how many more attempts there are, at most.
        delay: seconds before the first retry.
        backoff: the factor by which each delay is longer than the one before it.
        on: the failures after which the stage is run again; empty for all of them.
    """

    times: int
    delay: float = 0
    backoff: float = 1
    on: tuple[RetryOn, ...] = ()

    def delay_after(self, attempt: int) -> float:
        """Seconds between the end of an attempt and the next one; attempts are counted from 1."""
        return self.delay * self.backoff ** (attempt - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """When a stage runs. All conditions must hold; an empty one always holds.

    Attributes:
        status: after which outcome of the stages that it comes after.
        branch: globs of branches. `!` excludes what an earlier glob matched, as in `triggers`. For a pull request, it is the
            target branch, and `event` must name pull requests.
        tag: globs of tags.
        event: how the run began.
        changed: globs of files; the push changed one of them.
    """

    status: RunsOn = RunsOn.SUCCESS
    branch: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    event: tuple[RunEvent, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def cleans_up(self) -> bool:
        """Whether the stage also runs after failures and after a stop. Such stages clean up and notify."""
        return self.status is not RunsOn.SUCCESS


ORDINARY = When()
"""The `when` of a stage that sets none: it runs if everything that it needs succeeded."""


class Overlap(StrEnum):
    """What happens to a run that begins while as many runs of its group as allowed are going on."""

    WAIT = "wait"
    SKIP = "skip"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """How many runs of a group go on at once.

    Attributes:
        group: the name of the group; None for the pipeline's name.
        limit: how many runs.
        overlap: what happens to a run above the limit; `cancel` ends the oldest run instead.
    """

    group: str | None = None
    limit: int = 1
    overlap: Overlap = Overlap.WAIT
