"""Random pipelines with random faults on the scripted engine, against a model that does not know the scheduler."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from tests.faults.scripted_case import engine_faults, run_scripted
from tests.faults.sketch import Edge, Mark, Sketch, sketched
from tests.faults.truth import Attempt, Ran, Recorded, complaints, foretold

seeds = st.randoms(use_true_random=False)


@given(seeds)
def test_without_faults_each_stage_ends_as_foretold(chance: random.Random) -> None:
    """Each stage of a random pipeline ends as the model says, after as many attempts, and saw the right bytes."""
    stages = sketched(chance)
    note(str(stages))

    with tempfile.TemporaryDirectory() as folder:
        outcome = run_scripted(stages, (), Path(folder))

    assert outcome.ran is not None, outcome.why
    assert complaints(stages, outcome.ran) == []
    assert _shapes(outcome.ran.stages) == _shapes(foretold(stages))
    assert (outcome.left, outcome.missing) == ([], [])


@given(seeds, seeds)
def test_with_faults_no_stage_ends_wrongly(chance: random.Random, more: random.Random) -> None:
    """If calls of the engine fail, a stage ends as its script did or in error, and nothing stays on the engine."""
    stages, faults = sketched(chance), engine_faults(more)
    note(f"{stages}\n{faults}")

    with tempfile.TemporaryDirectory() as folder:
        outcome = run_scripted(stages, faults, Path(folder))

    assert outcome.done or outcome.left == []
    assert outcome.left_after_sweep == []
    assert outcome.missing == []
    if outcome.ran is None:
        assert outcome.why
    else:
        assert complaints(stages, outcome.ran) == []


def _shapes(stages: dict[str, Recorded] | object) -> dict[str, tuple[str, int]]:
    assert isinstance(stages, dict)
    return {name: (stage.status, len(stage.attempts)) for name, stage in stages.items()}


A = Sketch("a", ends=(3, 0), retries=1)
B = Sketch("b", (Edge("env", "a"),))
RIGHT = {
    "a": Recorded("passed", (Attempt("failed", 3), Attempt("passed", 0))),
    "b": Recorded("passed", (Attempt("passed", 0),)),
}
MARKS = {"a": [Mark(1, {}, ended=True), Mark(2, {}, ended=True)], "b": [Mark(1, {"env a": "a-2"}, ended=True)]}


def test_a_right_run_is_not_complained_about() -> None:
    """The model has no complaint about a run that is right."""
    assert complaints([A, B], Ran("passed", RIGHT, MARKS, faulty=False)) == []


@pytest.mark.parametrize(
    ("stages", "marks", "complaint"),
    [
        ({"a": RIGHT["a"]}, MARKS, "b is not in the record"),
        (RIGHT | {"b": Recorded("skipped")}, MARKS, "b: it is skipped, but it should be runs"),
        (RIGHT | {"b": Recorded("not_started")}, MARKS, "b: it is not_started, but its script ran"),
        (RIGHT, MARKS | {"a": MARKS["a"] * 2}, "a: its script ran 4 times, but the record has 2 attempts"),
        (RIGHT, MARKS | {"b": [Mark(1, {"env a": "a-1"}, ended=True)]}, "b: it saw 'a-1' by env of a, but 'a-2' is right"),
        (
            RIGHT | {"b": Recorded("failed", (Attempt("failed", 1),))},
            MARKS,
            "b: an attempt is failed with exit code 1, but the scripts ended with [0]",
        ),
        (
            RIGHT | {"b": Recorded("error", (Attempt("error"),), "no engine")},
            MARKS,
            "b: it is in error without a fault: no engine",
        ),
    ],
)
def test_a_wrong_run_is_complained_about(stages: dict[str, Recorded], marks: dict[str, list[Mark]], complaint: str) -> None:
    """The model says what is wrong with a run."""
    assert complaint in complaints([A, B], Ran("passed", stages, marks, faulty=False))
