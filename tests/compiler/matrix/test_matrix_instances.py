"""The instances that a matrix makes, and what other stages take of them."""

from __future__ import annotations

import json

import pytest

from dockercise_prefect.pipeline import ImageReference, LiteralValue, StageValue, StageValues
from tests.compiler.sources import compiled

TEST = "test: {img: x, run: ls, matrix: {a: [1, 2], b: [p, q]}}\n"


@pytest.mark.parametrize(
    ("matrix", "names"),
    [
        ("{a: [3.10, 3.1], b: x}", ["test(3.10,x)", "test(3.1,x)"]),
        ("{b: [p, q], a: [1, 2]}", ["test(p,1)", "test(p,2)", "test(q,1)", "test(q,2)"]),
        ("{a: [1, 2], b: [p, q], exclude: [{a: 1}]}", ["test(2,p)", "test(2,q)"]),
        ("{a: [1, 2], exclude: [{a: 1}], include: [{a: 1, c: 5}]}", ["test(2)", "test(1)"]),
        ("{a: [1, 2], include: [{c: 5}, {a: 2, c: 6}, {a: 3}]}", ["test(1)", "test(2)", "test(3)"]),
        ("{include: [{a: 1, b: p}, {a: 2, b: q, c: 5}]}", ["test(1,p)", "test(2,q)"]),
        ("{a: [yes, null-like, 0x10, '']}", ["test(yes)", "test(null-like)", "test(0x10)", "test(_)"]),
    ],
    ids=["texts", "order", "exclude", "exclude-first", "completed", "include-only", "scalars"],
)
def test_combinations(matrix: str, names: list[str]) -> None:
    """The instances are in the order written: the combinations that are left, and then those that `include` adds."""
    pipeline = compiled(a=f"test: {{img: x, run: ls, matrix: {matrix}}}\n")

    assert list(pipeline.by_name) == names


def test_further_variables() -> None:
    """An entry of `include` completes the combinations that it fits, and a later entry replaces what an earlier one added."""
    pipeline = compiled(a="test: {img: 'x:$C', run: ls, matrix: {a: [1, 2], include: [{c: 5}, {a: 2, c: 6}]}}\n")

    assert [(stage.image, stage.env["C"]) for stage in pipeline] == [
        (ImageReference("x:5"), LiteralValue("5")),
        (ImageReference("x:6"), LiteralValue("6")),
    ]
    assert [stage.instance and dict(stage.instance.values) for stage in pipeline] == [{"A": "1"}, {"A": "2"}]


@pytest.mark.parametrize(
    ("consumer", "needs"),
    [
        ("{after: test}", ["test(1,p)", "test(1,q)", "test(2,p)", "test(2,q)"]),
        ("{after: 'test(2,p)'}", ["test(2,p)"]),
        ("{img: x, run: ls, matrix: {b: q, c: 0, a: 2}, after: test}", ["test(2,q)"]),
        ("{img: x, run: ls, matrix: {a: 2}, after: test}", ["test(1,p)", "test(1,q)", "test(2,p)", "test(2,q)"]),
        ("{img: x, run: ls, matrix: {a: 1, b: p}, vol: 'test($A,q)'}", ["test(1,q)"]),
        ("{img: x, run: 'cat /test/1,p/f'}", ["test(1,p)", "test(1,q)", "test(2,p)", "test(2,q)"]),
    ],
    ids=["all", "named", "counterpart", "fewer-variables", "expanded", "inferred"],
)
def test_needs(consumer: str, needs: list[str]) -> None:
    """A stage needs all instances, those that it names, or the one that has its own values of all variables."""
    pipeline = compiled(a=TEST + f"user: {consumer}\n")

    assert list(pipeline.stages[-1].needs) == needs


def test_values() -> None:
    """The variable of the stage has the values of all instances; in a counterpart, the value of one."""
    pipeline = compiled(a=TEST + 'all: {img: x, run: echo $TEST}\none: {img: x, matrix: {a: 1, b: q}, run: "echo $TEST"}\n')

    assert pipeline.by_name["all"].env["TEST"] == StageValues(("test(1,p)", "test(1,q)", "test(2,p)", "test(2,q)"))
    assert pipeline.by_name["one(1,q)"].env["TEST"] == StageValue("test(1,q)")


def test_a_matrix_through_an_anchor() -> None:
    """Stages can share a matrix."""
    matrix = "x-matrix: &both {a: [1, 2]}\n"

    pipeline = compiled(a=matrix + "b: {img: x, matrix: *both}\nt: {img: x, matrix: *both, after: b}\n")

    assert {stage.name: stage.needs for stage in pipeline if stage.needs} == {"t(1)": ("b(1)",), "t(2)": ("b(2)",)}


def test_what_is_expanded() -> None:
    """`$A` and `${A}` stand for the value in the keys that say so, and nowhere else."""
    keys = {
        "img": "x:$A",
        "user": "u${A}",
        "dir": "/d$A",
        "platform": "linux/$A",
        "cpus": "$A",
        "memory": "${A}0m",
        "timeout": "${A}s",
    }
    stage = {**keys, "vol": ["v$A:/v${A}"], "run": "echo $A $B", "env": ["B=$A"], "matrix": {"a": ["7"]}}

    (one,) = compiled(a=json.dumps({"test": stage}))

    assert (one.user, one.working_dir, one.platform, one.cpus, one.memory, one.timeout) == (
        "u7",
        "/d7",
        "linux/7",
        7,
        70 << 20,
        7,
    )
    assert [mount.target for mount in one.mounts] == ["/v7"]
    assert (one.run, one.env["B"]) == ("echo $A $B", LiteralValue("$A"))
