"""The order of stages and the cycles in it."""

from __future__ import annotations

from itertools import pairwise

from dockercise_prefect.compiler.graph import cycles, in_order
from dockercise_prefect.pipeline import Dependency, DependencyKind
from tests.compiler.sources import compiled, findings


def _after(*names: str) -> list[Dependency]:
    return [Dependency(name, DependencyKind.AFTER) for name in names]


def test_a_valid_order_is_kept() -> None:
    """Stages that are already in a valid order come out as they were written."""
    needs: dict[str, list[str]] = {"c": [], "a": [], "b": ["c"], "d": []}

    assert in_order(needs) == ["c", "a", "b", "d"]


def test_a_stage_waits_no_longer_than_it_must() -> None:
    """A stage that was written too early comes immediately after its last need, before everything that was written after it."""
    needs = {"last": ["first"], "other": [], "first": [], "end": []}

    assert in_order(needs) == ["other", "first", "last", "end"]


def test_a_stage_named_twice_counts_once() -> None:
    """A need that is written twice counts once."""
    needs: dict[str, list[str]] = {"a": ["b", "b"], "b": []}

    assert in_order(needs) == ["b", "a"]


def test_a_long_chain_needs_no_recursion() -> None:
    """A chain or cycle of 5,000 stages is handled like any other."""
    names = [f"s{index}" for index in range(5000)]
    needs = {name: [earlier] for earlier, name in pairwise(names)}
    chain = {names[0]: list[str](), **needs}
    ring = {name: _after(*chain[name]) for name in names} | {names[0]: _after(names[-1])}

    assert in_order(chain) == names
    assert len(next(iter(cycles(ring)))) == 5000


def test_the_shortest_cycle_is_shown() -> None:
    """Of several cycles through a stage, the shortest one is reported."""
    edges = {"a": _after("b", "d"), "b": _after("c"), "c": _after("a"), "d": _after("a")}

    (cycle,) = cycles(edges)

    assert [stage for stage, _ in cycle] == ["a", "d"]


def test_separate_cycles_are_reported_each() -> None:
    """Two cycles without a connection are two findings."""
    text = "a: {after: b}\nb: {after: a}\nc: {after: d}\nd: {after: c}\n"

    found = findings(a=text)

    assert [str(finding.code) for finding in found] == ["DK038", "DK038"]


def test_a_long_cycle_has_a_short_headline() -> None:
    """A cycle of many stages is shortened in its headline and complete below it."""
    text = "".join(f"s{index}: {{after: s{(index + 1) % 20}}}\n" for index in range(20))

    (found,) = findings(a=text)

    assert found.message.endswith("s0 → s1 → s2 → s3 → s4 → … → s0")
    assert len(found.related) == 20


def test_edges_of_different_kinds_are_kept_apart() -> None:
    """Two edges to one stage stay two if they do different things, and become one if they do the same."""
    pipeline = compiled(a="a: {img: x}\nb: {img: x, after: [a, a], env: a, vol: [a, 'a:/x'], on: a}\n")

    kinds = [edge.kind.value for edge in pipeline.by_name["b"].depends_on]

    assert kinds == ["after", "env", "vol", "on"]
