"""The rounds of a `watch`: runs, each of which resumes those before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.status import StageStatus


@dataclass(frozen=True, slots=True)
class Round:
    """A round that has ended.

    Attributes:
        status: its exit status. It is negative if a signal killed the process.
        run_id: its run; empty if no run began.
        passed: the stages that passed, or were reused.
    """

    status: int
    run_id: str = ""
    passed: frozenset[StageName] = frozenset()


def round_of(status: int, summary: Mapping[str, Any] | None) -> Round:
    """A round, from the exit status and the summary of its run. `summary` is None if the run did not begin."""
    if not summary or not summary["run_id"]:
        return Round(status)
    spared = {StageStatus.PASSED, StageStatus.CACHED}
    passed = frozenset(name for name, stage in summary["stages"].items() if stage["status"] in spared)
    return Round(status, summary["run_id"], passed)


def with_latest(rounds: Iterable[Round], latest: Round) -> tuple[Round, ...]:
    """The rounds whose runs the next round resumes, newest first: each is the last one in which some stage passed.

    So a stage that did not start in the latest round, because another one failed or the round was cancelled, is taken from the
    round before. If the latest round was refused before its run began, the reason may be a record that is gone. Then no round
    is resumed.

    Args:
        rounds: what this function returned for the round before.
        latest: the round that has just ended.
    """
    if not latest.run_id and latest.status == ExitStatus.WRONG_INPUT:
        return ()
    found: list[Round] = []
    known: set[StageName] = set()
    for one in (latest, *rounds):
        if not one.passed <= known:
            found.append(one)
            known |= one.passed
    return tuple(found)
