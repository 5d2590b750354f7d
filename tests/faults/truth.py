"""What a random pipeline must do, and what is wrong with what it did: written after docs/outcomes.md, without the scheduler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.faults.sketch import ASKING, HANGS, Mark, Sketch

SUCCEEDED = {"passed", "tolerated", "skipped"}
NEVER_RAN = {"skipped", "not_started"}
BLAME = {"failed": "failed", "timed_out": "failed", "error": "error", "cancelled": "cancelled"}
LAST_ANSWER = 124
KILLED = 137
"""The exit code of a script that hangs, if its engine ends it."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, as a record has it."""

    status: str
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A stage, as a record has it.

    Attributes:
        attempts: all attempts in order; none if it never started.
    """

    status: str
    attempts: tuple[Attempt, ...] = ()
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that has ended.

    Attributes:
        status: of the run.
        stages: what the record says.
        marks: what the scripts noted.
        faulty: whether a fault happened, so that a stage may be in error.
    """

    status: str
    stages: Mapping[str, Recorded]
    marks: Mapping[str, Sequence[Mark]]
    faulty: bool


def outcome(stage: Sketch, code: int, *, asked: bool) -> str:
    """How an attempt ended whose script ended like this."""
    if code == HANGS:
        return "timed_out"
    if code == 0:
        return "passed"
    return "tolerated" if stage.never_fail or (asked and code <= LAST_ANSWER) else "failed"


def decision(stage: Sketch, statuses: Mapping[str, str], pipeline: Mapping[str, Sketch]) -> str:
    """`runs`, `skipped` or `not_started`, given how the stages ended that it depends on."""
    decisions = {_by_edge(stage, edge.kind, statuses[edge.to]) for edge in stage.edges}
    for refusal in ("not_started", "skipped"):
        if refusal in decisions:
            return refusal
    before = {statuses[name] for name in _before(stage, pipeline)}
    if stage.when == "failure" and before <= SUCCEEDED:
        return "skipped"
    if stage.when != "success" and before and before <= NEVER_RAN:
        return "skipped"
    return "runs"


def _by_edge(stage: Sketch, kind: str, status: str) -> str:
    if status == "skipped":
        return "runs" if kind == "after" or (stage.when != "success" and kind not in {"img", *ASKING}) else "skipped"
    if status not in SUCCEEDED:
        return "not_started" if stage.when == "success" or kind in {"img", *ASKING} else "runs"
    if kind in ASKING and (status == "passed") != (kind == "if"):
        return "skipped"
    return "runs"


def _before(stage: Sketch, pipeline: Mapping[str, Sketch]) -> set[str]:
    """All stages that a stage comes after, directly or not."""
    direct = {edge.to for edge in stage.edges}
    return direct.union(*(_before(pipeline[name], pipeline) for name in direct))


def foretold(stages: Sequence[Sketch]) -> dict[str, Recorded]:
    """What the record of a run without faults says, without messages."""
    pipeline = {stage.name: stage for stage in stages}
    found: dict[str, Recorded] = {}
    for stage in stages:
        decided = decision(stage, {name: each.status for name, each in found.items()}, pipeline)
        attempts = tuple(_attempts(stage, asked=_asked(stage, stages))) if decided == "runs" else ()
        found[stage.name] = Recorded(attempts[-1].status if attempts else decided, attempts)
    return found


def _attempts(stage: Sketch, *, asked: bool) -> Iterator[Attempt]:
    for number in range(1, stage.retries + 2):
        status = outcome(stage, stage.end_of(number), asked=asked)
        yield Attempt(status, None if status == "timed_out" else stage.end_of(number))
        if status in SUCCEEDED:
            return


def _asked(stage: Sketch, stages: Sequence[Sketch]) -> bool:
    return any(edge.to == stage.name and edge.kind in ASKING for each in stages for edge in each.edges)


def complaints(stages: Sequence[Sketch], ran: Ran) -> list[str]:
    """What is wrong with a run, one line each."""
    found = [f"{name} is not in the record" for name in sorted({stage.name for stage in stages} - ran.stages.keys())]
    if found:
        return found
    for stage in stages:
        found += [f"{stage.name}: {what}" for what in _of_stage(stage, stages, ran)]
    if (wanted := status_of(ran.stages)) != ran.status and not (ran.faulty and ran.status == "error"):
        found.append(f"the run is {ran.status}, but its stages say {wanted}")
    return found


def status_of(stages: Mapping[str, Recorded]) -> str:
    """How a run ended whose stages ended like this."""
    blamed = {BLAME[stage.status] for stage in stages.values() if stage.status in BLAME}
    return next((status for status in ("error", "cancelled", "failed") if status in blamed), "passed")


def _of_stage(stage: Sketch, stages: Sequence[Sketch], ran: Ran) -> Iterator[str]:
    pipeline = {each.name: each for each in stages}
    recorded, marks = ran.stages[stage.name], ran.marks.get(stage.name, ())
    statuses = {name: each.status for name, each in ran.stages.items()}
    decided = decision(stage, statuses, pipeline)
    started = recorded.status not in NEVER_RAN
    # If the engine fails, the run may be over before anything starts.
    was_over = ran.faulty and ran.status == "error" and recorded.status == "not_started"
    if (decided if started else recorded.status) != ("runs" if started else decided) and not was_over:
        yield f"it is {recorded.status}, but it should be {decided}"
    if not started:
        if marks:
            yield f"it is {recorded.status}, but its script ran"
        return
    yield from _of_attempts(stage, recorded, marks, asked=_asked(stage, stages), faulty=ran.faulty)
    for mark in marks:
        for what, seen in mark.saw.items():
            yield from _of_bytes(what, seen, pipeline, ran)


def _of_attempts(stage: Sketch, recorded: Recorded, marks: Sequence[Mark], *, asked: bool, faulty: bool) -> Iterator[str]:
    """Whether there were as many attempts as there should be, and whether each of them ended like its script."""
    sure = [attempt for attempt in recorded.attempts if attempt.status != "error"]
    unsure = len(recorded.attempts) - len(sure)
    if unsure and not faulty:
        yield f"it is in error without a fault: {recorded.message}"
    if recorded.status == "error" and not recorded.message:
        yield "it is in error without a message"
    if len(recorded.attempts) > stage.retries + 1:
        yield f"{len(recorded.attempts)} attempts, but {stage.retries + 1} are allowed"
    if len(marks) > len(recorded.attempts):
        yield f"its script ran {len(marks)} times, but the record has {len(recorded.attempts)} attempts"
    for earlier in recorded.attempts[:-1]:
        if earlier.status in SUCCEEDED:
            yield f"it ran again after it was {earlier.status}"
    for attempt in sure:
        yield from _of_end(stage, attempt, marks, asked=asked)
    if not unsure and "timed_out" not in {each.status for each in sure} and len(marks) != len(recorded.attempts):
        yield f"its script ran {len(marks)} times, but the record has {len(recorded.attempts)} attempts"


def _of_end(stage: Sketch, attempt: Attempt, marks: Sequence[Mark], *, asked: bool) -> Iterator[str]:
    """Whether a script ended as the attempt says. It may time out before its script begins."""
    codes = sorted({stage.end_of(mark.number) for mark in marks})
    possible = {(outcome(stage, code, asked=asked), code) for code in (*codes, *([KILLED] if HANGS in codes else []))}
    if attempt.status == "timed_out":
        if HANGS not in stage.ends:
            yield "an attempt timed out, but the script does not hang"
    elif (attempt.status, attempt.exit_code) not in possible:
        yield f"an attempt is {attempt.status} with exit code {attempt.exit_code}, but the scripts ended with {codes}"


def _of_bytes(what: str, seen: str, pipeline: Mapping[str, Sketch], ran: Ran) -> Iterator[str]:
    kind, _, name = what.partition(" ")
    producer, marks = ran.stages[name], ran.marks.get(name, ())
    right = {pipeline[name].says(marks[-1].number) if marks else ""}
    if producer.status in {"error", "timed_out"}:
        right |= {""} | {pipeline[name].says(mark.number) for mark in marks}
    if seen not in right:
        yield f"it saw {seen!r} by {kind} of {name}, but {' or '.join(map(repr, sorted(right)))} is right"
