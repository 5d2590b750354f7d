"""How pictures and explanations show instances of a stage."""

from __future__ import annotations

import pytest

from dockercise_prefect.emit import Request
from dockercise_prefect.emit.drawing import drawing
from dockercise_prefect.emit.explain import explanation
from dockercise_prefect.emit.outline import outline
from dockercise_prefect.emit.svg import Look, svg
from dockercise_prefect.pipeline import Pipeline
from tests.compiler.sources import compiled

MANY = """
test: {matrix: {a: [1, 2, 3, 4, 5], b: [1, 2, 3, 4]}, img: x, run: 'true'}
report: {img: y, run: 'echo "$TEST" /test/*'}
"""


def _few(extra: str = "") -> Pipeline:
    return compiled(a="test: {matrix: {a: [1, 2]}, img: 'x:$A', run: 'true'}\nreport: {img: y, after: test}\n" + extra)


def test_few_instances_stand_together() -> None:
    """Every instance has its own line, one below the other, under its own name."""
    assert outline(Request(_few())).splitlines() == [
        "test(1)",
        "test(2)",
        "report   after test(1) (after), test(2) (after)",
    ]


def test_many_instances_are_folded() -> None:
    """From 20 instances on, one box stands for all, with their number, and edges of one kind are one edge."""
    picture = drawing(Request(compiled(a=MANY), ["test"]))

    assert [(box.name, box.detail, box.is_target) for box in picture.boxes] == [
        ("test", "20 instances", True),
        ("report", "y", False),
    ]
    assert [(arrow.source, arrow.target, arrow.label) for arrow in picture.arrows] == [(0, 1, "(env), (vol)")]


def test_instances_with_a_stage_between_them_are_not_folded() -> None:
    """If a stage comes after one instance and before another one, every instance has its own box: no arrow leads back."""
    numbers = ", ".join(map(str, range(20)))
    bases = "".join(f"base{number}: {{img: x{', after: test(0)' if number == 1 else ''}}}\n" for number in range(20))
    pipeline = compiled(a=f'test: {{matrix: {{a: [{numbers}]}}, img: x, vol: "base$A:/base"}}\n{bases}')

    picture = drawing(Request(pipeline))

    assert len(picture.boxes) == 40
    assert all(arrow.source < arrow.target for arrow in picture.arrows)


def test_the_box_of_many_instances_links_to_them() -> None:
    """In the picture of a run, the box of folded instances shows how they ended together."""
    picture = svg(Request(compiled(a=MANY)), {"test": Look("failed", "✗", "20 instances: 19 passed, 1 failed", "#stage=x")})

    assert "test: 20 instances: 19 passed, 1 failed" in picture
    assert 'href="#stage=x"' in picture


def test_explain_all_instances() -> None:
    """The name of a stage with a matrix explains all its instances together."""
    text = explanation(_few("check: {matrix: {a: [1, 2]}, img: x, after: test}\n"), "test")

    assert text == (
        "test, a stage of test with 2 instances  (a.dockercise.yaml:1:1)\n\n"
        "  A          1, 2\n\n"
        "instances\n"
        "  test(1)    x:1\n"
        "  test(2)    x:2\n\n"
        "is needed by\n"
        "  report\n"
        "  check, 2 instances\n\n"
        "to run all of them, 2 of 5 stages run\n"
        "  `dockercise explain 'test(1)'` explains one of them\n"
    )


@pytest.mark.parametrize("name", ["test(1)", "test(2)"])
def test_explain_one_instance(name: str) -> None:
    """The name of an instance explains this instance."""
    assert explanation(_few(), name).startswith(f"{name}, a stage of test  (a.dockercise.yaml:1:1)\n")
