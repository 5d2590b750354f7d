"""Findings about stages with `matrix`: once for what all instances share, and with the combination otherwise."""

from __future__ import annotations

import json

import pytest

from dockercise_prefect.compiler.matrix.findings import merged
from dockercise_prefect.errors import Diagnostic, Place, Related
from tests.compiler.sources import findings, linted

INSTANCES = {"test": ["test(1)", "test(2)", "test(3)", "test(4)", "test(5)"]}
PLACE = Place("a.yaml", 1, 1)


def _found(*names: str) -> list[Diagnostic]:
    return [
        Diagnostic("DK024", f"{name}: wrong", PLACE, hint=f"change `{name}`", related=(Related(f"{name} is here", PLACE),))
        for name in names
    ]


@pytest.mark.parametrize(
    ("names", "owner"),
    [
        (INSTANCES["test"], "test"),
        (["test(2)"], "test(2)"),
        (["test(1)", "test(3)"], "test(1), test(3)"),
        (["test(1)", "test(3)", "test(4)", "test(5)"], "test(1), test(3), test(4) and 1 more"),
        (["other"], "other"),
    ],
    ids=["all", "one", "two", "most", "no-instance"],
)
def test_merged(names: list[str], owner: str) -> None:
    """The same finding of several instances is one; it names the stage if all have it, and else some of the instances."""
    (one,) = merged(_found(*names), INSTANCES)

    assert one.message == f"{owner}: wrong"


def test_merged_texts_name_the_stage() -> None:
    """Hints and further places of a merged finding name the stage too."""
    (one,) = merged(_found(*INSTANCES["test"]), INSTANCES)

    assert (one.hint, one.related[0].message) == ("change `test`", "test is here")


def test_a_lint_rule_finds_it_once() -> None:
    """A rule has one finding for all instances, and none for what a matrix expands."""
    text = "test: {matrix: {a: [1, 2, 3]}, img: 'x:$A', dir: '/$A', env: {B: $A}, run: 'echo $C'}"

    found = linted(text)

    assert [(str(one.code), one.message) for one in found] == [
        ("DK111", "test: `$A` in a value of `env` is not expanded: only scripts expand variables"),
        ("DK108", "test: nothing sets `C`"),
    ]


def test_after_is_implied_only_for_all_instances() -> None:
    """`after: test` is needed, unless the stage already comes after every instance."""
    text = """
test: {matrix: {a: [1, 2]}, img: "x:1", run: 'true'}
other: {img: "x:1", after: test(1), run: 'true'}
some: {img: "x:1", after: [test, other], run: 'true'}
all: {img: "x:1", after: [test, some], run: 'true'}
"""

    assert [one.message for one in linted(text)] == [
        "all: `after: test` is not needed: this stage already comes after it, through `some`"
    ]


def test_values_that_one_name_cannot_tell_apart() -> None:
    """Two values whose names are the same are an error, at the place of the second one."""
    (one,) = findings(a='t: {img: x, matrix: {a: ["1 2", 1_2]}}')

    assert (one.code, str(one.place)) == ("DK086", "a.dockercise.yaml:1:33")


def test_a_pipeline_has_a_limit_too() -> None:
    """Aliases cannot make any number of instances: the first stage above the limit of the pipeline is found, and no other."""
    stages = "".join(f"s{number}: {{img: x, matrix: *matrix}}\n" for number in range(1000))
    values = ", ".join(map(str, range(16)))

    (one,) = findings(a=f"first: {{img: x, matrix: &matrix {{a: [{values}], b: [{values}]}}}}\n{stages}")

    assert one.message == "s3: with this stage, the pipeline has more than 1,024 instances"


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ({"exclude": [{"a": "2"}] * 257}, "the matrix has 257 entries of `exclude`, but the limit is 256"),
        ({f"v{number}": "1" for number in range(33)}, "the matrix has 34 variables, but the limit is 32"),
        (
            {"include": [{f"v{number}": "1" for number in range(33)}]},
            "the matrix has 33 variables in an entry of `include`, but the limit is 32",
        ),
    ],
    ids=["entries", "variables", "variables-of-an-entry"],
)
def test_limits(matrix: dict[str, object], message: str) -> None:
    """Whatever could make reading a matrix slow has a limit."""
    (one,) = findings(a=json.dumps({"t": {"img": "x", "matrix": {"a": ["1"], **matrix}}}))

    assert (one.code, one.message) == ("DK085", f"t: {message}")


def test_no_each() -> None:
    """A stage has either a matrix or members."""
    found = findings(a="lines: {img: x, run: ls}\nt: {img: x, matrix: {a: [1]}, each: lines, run: ls}\n")

    assert ("DK090", "t: a stage with `matrix` cannot have `each`") in [(one.code, one.message) for one in found]
