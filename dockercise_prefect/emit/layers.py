"""The rows of a layered drawing: which row each box is in, and the order of the places in a row.

The method is that of Sugiyama, Tagawa and Toda ("Methods for visual understanding of hierarchical system structures", 1981).
Boxes get rows so that every link goes down. Links that pass rows get a place in each of them. Rows are sorted so that few links
cross.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NARROWEST = 8
"""The number of boxes that a row may always hold."""

SWEEPS = 12
"""How often the rows are sorted, alternately down and up. The best order is kept, so a larger number is only slower."""

CROSSINGS_COUNTED = 20_000
"""The most steps for which crossings are counted. In bigger drawings, the last order is used."""


@dataclass(frozen=True, slots=True)
class Link:
    """A line from a box to a later one, by their positions. Links to one box with the same label share the label."""

    source: int
    target: int
    label: str


@dataclass(frozen=True, slots=True)
class BoxPlace:
    """The place of a box in its row."""

    box: int


@dataclass(frozen=True, slots=True)
class LabelPlace:
    """The place of the label of a box: in the row directly above the box."""

    target: int
    label: str


@dataclass(frozen=True, slots=True)
class PassingPlace:
    """The place where links pass a row: one line for all that come from one box, or for all that lead to one label."""

    bundle: BoxPlace | LabelPlace
    row: int


Place = BoxPlace | LabelPlace | PassingPlace


@dataclass(frozen=True, slots=True)
class Rows:
    """The places in all rows, in order.

    Attributes:
        rows: the places from left to right; rows of boxes and rows of labels alternate.
        steps: the steps from a place to one in the next row, each with the links that use it.
    """

    rows: tuple[tuple[Place, ...], ...]
    steps: Mapping[tuple[Place, Place], tuple[int, ...]]


def in_rows(count: int, links: Sequence[Link]) -> Rows:
    """Rows for `count` boxes, whose links all lead from a box to a later one."""
    ranks = ranked(count, links)
    steps = _steps(ranks, links)
    rows = _initial_rows(ranks, steps)
    return Rows(_sorted_rows(rows, steps), {step: tuple(taken) for step, taken in steps.items()})


def ranked(count: int, links: Sequence[Link]) -> list[int]:
    """The rank of each box: below all that it needs, by the longest path. One that needs nothing is just above its first user.

    If a rank is full, in a drawing that would otherwise be much wider than high, it continues in the next rank.
    """
    widest = max(NARROWEST, math.ceil(1.3 * math.sqrt(count)))
    needed: list[list[int]] = [[] for _ in range(count)]
    users: list[list[int]] = [[] for _ in range(count)]
    for link in links:
        needed[link.target].append(link.source)
        users[link.source].append(link.target)
    held: Counter[int] = Counter()
    ranks: list[int] = []
    for box in range(count):
        rank = max((ranks[source] + 1 for source in needed[box]), default=0)
        while held[rank] >= widest:
            rank += 1
        held[rank] += 1
        ranks.append(rank)
    for box in range(count):
        lowest = min((ranks[target] - 1 for target in users[box]), default=0)
        if not needed[box] and lowest > ranks[box] and held[lowest] < widest:
            held[ranks[box]] -= 1
            held[lowest] += 1
            ranks[box] = lowest
    return _without_gaps(ranks)


def _without_gaps(ranks: Sequence[int]) -> list[int]:
    used = {rank: index for index, rank in enumerate(sorted(set(ranks)))}
    return [used[rank] for rank in ranks]


def _steps(ranks: Sequence[int], links: Sequence[Link]) -> dict[tuple[Place, Place], list[int]]:
    """Every link as steps from row to row. Boxes are in even rows, and labels in odd ones.

    A link that passes rows shares its line with the others from its box or with those to its label, whichever are more.
    """
    steps: dict[tuple[Place, Place], list[int]] = {}
    leaving = Counter(link.source for link in links)
    arriving = Counter((link.target, link.label) for link in links)
    for index, link in enumerate(links):
        box, label = BoxPlace(link.source), LabelPlace(link.target, link.label)
        bundle = label if arriving[link.target, link.label] > leaving[link.source] else box
        passed = range(2 * ranks[link.source] + 1, 2 * ranks[link.target] - 1)
        way: list[Place] = [box, *(PassingPlace(bundle, row) for row in passed), label, BoxPlace(link.target)]
        for step in itertools.pairwise(way):
            steps.setdefault(step, []).append(index)
    return steps


def _initial_rows(ranks: Sequence[int], steps: Mapping[tuple[Place, Place], object]) -> list[list[Place]]:
    rows: list[list[Place]] = [[] for _ in range(2 * max(ranks, default=-1) + 1)]
    for box, rank in enumerate(ranks):
        rows[2 * rank].append(BoxPlace(box))
    for place in dict.fromkeys(place for step in steps for place in step):
        match place:
            case LabelPlace(target):
                rows[2 * ranks[target] - 1].append(place)
            case PassingPlace(_, row):
                rows[row].append(place)
            case BoxPlace():
                pass
    return rows


def _sorted_rows(rows: list[list[Place]], steps: Mapping[tuple[Place, Place], object]) -> tuple[tuple[Place, ...], ...]:
    """The rows, with few crossings. Each is sorted by the mean position of the linked places (the barycentre method)."""
    above: dict[Place, list[Place]] = {}
    below: dict[Place, list[Place]] = {}
    for upper, lower in steps:
        above.setdefault(lower, []).append(upper)
        below.setdefault(upper, []).append(lower)
    best, fewest = _frozen(rows), _crossings(rows, below)
    for sweep in range(SWEEPS):
        if fewest == 0:
            break
        downwards = sweep % 2 == 0
        neighbours = above if downwards else below
        order = range(1, len(rows)) if downwards else range(len(rows) - 2, -1, -1)
        for index in order:
            beside = _positions(rows[index - 1 if downwards else index + 1])
            rows[index] = _by_barycentre(rows[index], neighbours, beside)
        crossings = _crossings(rows, below) if len(steps) <= CROSSINGS_COUNTED else fewest
        if crossings <= fewest:
            best, fewest = _frozen(rows), crossings
    return best


def _by_barycentre(row: list[Place], neighbours: Mapping[Place, list[Place]], beside: Mapping[Place, int]) -> list[Place]:
    """The sorted row. A place that is linked to nothing keeps its position among the others."""
    size = max(len(beside), 1)
    wanted = {}
    for index, place in enumerate(row):
        linked = neighbours.get(place)
        mean = sum(beside[other] + 0.5 for other in linked) / len(linked) / size if linked else (index + 0.5) / len(row)
        wanted[place] = mean
    return sorted(row, key=wanted.__getitem__)


def _crossings(rows: Sequence[Sequence[Place]], below: Mapping[Place, list[Place]]) -> int:
    """How many pairs of steps cross, over all rows."""
    total = 0
    for upper, lower in itertools.pairwise(rows):
        position = _positions(lower)
        ended: list[int] = []
        for place in upper:
            ends = sorted(position[other] for other in below.get(place, ()))
            total += sum(len(ended) - bisect_left(ended, end + 1) for end in ends)
            for end in ends:
                insort(ended, end)
    return total


def _positions(row: Sequence[Place]) -> dict[Place, int]:
    return {place: index for index, place in enumerate(row)}


def _frozen(rows: Sequence[Sequence[Place]]) -> tuple[tuple[Place, ...], ...]:
    return tuple(tuple(row) for row in rows)
