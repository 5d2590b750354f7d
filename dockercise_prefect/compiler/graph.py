"""Finds an order of the stages, or the cycles because of which they have none."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence

from dockercise_prefect.errors import Related
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.pipeline import Code, Dependency, DependencyKind, StageName

_SHOWN = 6
"""The most stages that the headline of a cycle names. All its edges are listed below the headline."""


def in_order(needs: Mapping[StageName, Collection[StageName]]) -> list[StageName]:
    """The stages, each after all it needs (Kahn's algorithm with a heap).

    The order is the topological one that is closest to the order of the mapping: if several stages could be next, the one that
    comes first in the mapping is next. So an order that is already correct does not change, and the result depends only on the
    mapping.

    Args:
        needs: every stage and the stages that it needs, which must all be keys. Stages on a cycle, and all that need them, are
            left out of the result.
    """
    if _is_ordered(needs):
        return list(needs)
    position = {stage: index for index, stage in enumerate(needs)}
    names = list(needs)
    missing = {stage: len(set(earlier)) for stage, earlier in needs.items()}
    followers: dict[StageName, list[StageName]] = {stage: [] for stage in needs}
    for stage, earlier in needs.items():
        for name in set(earlier):
            followers[name].append(stage)
    ready = [position[stage] for stage, count in missing.items() if count == 0]
    ordered = []
    while ready:
        stage = names[heapq.heappop(ready)]
        ordered.append(stage)
        for follower in followers[stage]:
            missing[follower] -= 1
            if missing[follower] == 0:
                heapq.heappush(ready, position[follower])
    return ordered


def _is_ordered(needs: Mapping[StageName, Collection[StageName]]) -> bool:
    seen: set[StageName] = set()
    for stage, earlier in needs.items():
        if not seen.issuperset(earlier):
            return False
        seen.add(stage)
    return True


def cycles(edges: Mapping[StageName, Sequence[Dependency]]) -> Iterator[list[tuple[StageName, Dependency]]]:
    """For each group of stages that wait for each other, one shortest cycle through its first stage.

    A cycle is a list of steps `(stage, edge)`. Each edge leads to the stage of the next step, and the last edge to the first.

    Args:
        edges: every stage and its edges, which must all lead to keys.
    """
    position = {stage: index for index, stage in enumerate(edges)}
    for group in knots(edges):
        yield _shortest(min(group, key=position.__getitem__), group, edges)


def report_cycles(edges: Mapping[StageName, Sequence[Dependency]], findings: Findings) -> None:
    """Report DK038, with the place of each edge."""
    for cycle in cycles(edges):
        names = [stage for stage, _ in cycle]
        shown = names if len(names) <= _SHOWN else [*names[: _SHOWN - 1], "…"]
        findings.error(
            Code.CYCLE,
            f"stages wait for each other in a cycle: {' → '.join([*shown, names[0]])}",
            cycle[0][1].place,
            hint=_way_out(cycle),
            related=[Related(_described(stage, edge), edge.place) for stage, edge in cycle if edge.place],
        )


def _described(stage: StageName, edge: Dependency) -> str:
    """An edge in words; an inferred edge names its reference in the script."""
    reason = f"{stage} {edge.kind.phrase} {edge.stage}"
    return f"{reason}, inferred from `{edge.reference}`" if edge.inferred else reason


def _way_out(cycle: Sequence[tuple[StageName, Dependency]]) -> str:
    inferred = any(edge.inferred and edge.kind is not DependencyKind.IMG for _, edge in cycle)
    silence = "; to remove an inferred one, write `# dockercise: ignore references` on its line, or `implicit: false`"
    return "remove one of these edges" + (silence if inferred else "")


def knots(edges: Mapping[StageName, Sequence[Dependency]]) -> Iterator[set[StageName]]:
    """Groups of stages that wait for each other.

    They are the strongly connected components that contain a cycle (Tarjan's algorithm, without recursion).
    """
    search = _Search()
    for root in edges:
        if root not in search.index:
            search.enter(root)
            walk = [(root, iter(edges[root]))]
            while walk:
                stage, rest = walk[-1]
                edge = next(rest, None)
                if edge is None:
                    walk.pop()
                    group = search.leave(stage, walk[-1][0] if walk else None)
                    if len(group) > 1 or any(own.stage in group for own in edges[stage]):
                        yield group
                elif edge.stage not in search.index:
                    search.enter(edge.stage)
                    walk.append((edge.stage, iter(edges[edge.stage])))
                else:
                    search.meet(stage, edge.stage)


class _Search:
    """The state of Tarjan's algorithm: when each stage was entered, and the earliest open stage that it leads to."""

    def __init__(self) -> None:
        self.index: dict[StageName, int] = {}
        self._lowest: dict[StageName, int] = {}
        self._open: dict[StageName, None] = {}

    def enter(self, stage: StageName) -> None:
        self.index[stage] = self._lowest[stage] = len(self.index)
        self._open[stage] = None

    def meet(self, stage: StageName, known: StageName) -> None:
        if known in self._open:
            self._lowest[stage] = min(self._lowest[stage], self.index[known])

    def leave(self, stage: StageName, parent: StageName | None) -> set[StageName]:
        """The component that ends with the stage; empty if the stage belongs to a component that is still open."""
        if parent is not None:
            self._lowest[parent] = min(self._lowest[parent], self._lowest[stage])
        group: set[StageName] = set()
        while self._lowest[stage] == self.index[stage] and stage not in group:
            group.add(self._open.popitem()[0])
        return group


def _shortest(
    first: StageName, group: Collection[StageName], edges: Mapping[StageName, Sequence[Dependency]]
) -> list[tuple[StageName, Dependency]]:
    """The path from `first` back to itself with the fewest edges, found by breadth-first search inside its group."""
    came_by: dict[StageName, tuple[StageName, Dependency]] = {}
    waiting = deque([first])
    while first not in came_by:
        stage = waiting.popleft()
        for edge in edges[stage]:
            if edge.stage in group and edge.stage not in came_by:
                came_by[edge.stage] = (stage, edge)
                waiting.append(edge.stage)
    cycle = [came_by[first]]
    while cycle[-1][0] != first:
        cycle.append(came_by[cycle[-1][0]])
    return cycle[::-1]
