"""Calculates where everything in a drawing is, for an SVG file or any other kind of drawing.

Lengths are in pixels; x grows to the right and y downwards.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dockercise_prefect.emit.layers import BoxPlace, LabelPlace, Link, PassingPlace, Place, Rows, in_rows

BETWEEN = 22.0
"""The space between two things in a row."""

LINE = 8.0
"""The width of a line that passes a row."""

PORTS = 26.0
"""The space between lines that end at the same box, if the box is wide enough."""

ROUNDS = 24
"""How often places are moved towards the places that they are linked to, alternately downwards and upwards."""


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Point:
    """A point."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle, by its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> float:
        """The x of its middle."""
        return self.x + self.width / 2

    @property
    def bottom(self) -> float:
        """The y of its lower edge."""
        return self.y + self.height


@dataclass(frozen=True, slots=True)
class Label:
    """A label with its position, and the links that share it."""

    text: str
    where: Rectangle
    links: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of one or more links, from an upper point to a lower one. It starts and ends vertically.

    Attributes:
        links: the links that it is part of.
        is_end: whether it ends at a box.
    """

    start: Point
    end: Point
    links: tuple[int, ...]
    is_end: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """The whole drawing: the boxes in the given order, and everything that links them."""

    size: Size
    boxes: tuple[Rectangle, ...]
    labels: tuple[Label, ...]
    segments: tuple[Segment, ...]


def lay_out(boxes: Sequence[Size], links: Sequence[Link], labels: Mapping[str, Size]) -> Layout:
    """Place boxes so that no two overlap and every link goes down. All boxes of a row get the height of the highest one.

    Args:
        boxes: the sizes of the boxes.
        links: the links, each from a box to a later one.
        labels: the sizes of the links' labels.
    """
    rows = in_rows(len(boxes), links)
    sizes = {place: _size(place, boxes, labels) for row in rows.rows for place in row}
    centres = _centres(rows, sizes)
    where = _rectangles(rows, sizes, centres)
    width = max((rectangle.x + rectangle.width for rectangle in where.values()), default=0.0)
    height = max((rectangle.bottom for rectangle in where.values()), default=0.0)
    return Layout(
        Size(width, height),
        tuple(where[BoxPlace(index)] for index in range(len(boxes))),
        tuple(_labels(rows, where)),
        tuple(_segments(rows, where)),
    )


def _size(place: Place, boxes: Sequence[Size], labels: Mapping[str, Size]) -> Size:
    match place:
        case BoxPlace(box):
            return boxes[box]
        case LabelPlace(_, label):
            return labels[label]
        case PassingPlace():
            return Size(LINE, 0.0)


def _centres(rows: Rows, sizes: Mapping[Place, Size]) -> dict[Place, float]:
    """The x of each place: as close to the linked places as its row allows."""
    above: dict[Place, list[Place]] = {}
    below: dict[Place, list[Place]] = {}
    for upper, lower in rows.steps:
        above.setdefault(lower, []).append(upper)
        below.setdefault(upper, []).append(lower)
    centres: dict[Place, float] = {}
    for row in rows.rows:
        centres |= _apart(row, dict.fromkeys(row, 0.0), sizes)
    for turn in range(ROUNDS):
        downwards = turn % 2 == 0
        near = above if downwards else below
        for row in rows.rows if downwards else reversed(rows.rows):
            wanted = {place: _mean(near.get(place) or [place], centres) for place in row}
            centres |= _apart(row, wanted, sizes)
    left = min((centre - sizes[place].width / 2 for place, centre in centres.items()), default=0.0)
    return {place: centre - left for place, centre in centres.items()}


def _mean(places: Sequence[Place], centres: Mapping[Place, float]) -> float:
    return sum(centres[place] for place in places) / len(places)


def _apart(row: Sequence[Place], wanted: Mapping[Place, float], sizes: Mapping[Place, Size]) -> dict[Place, float]:
    """The centres closest to the wanted ones, by least squares, that keep the order of the row and the space between places.

    Without the space, this is isotonic regression. It is solved by pooling neighbours that are in the wrong order.
    """
    offsets = [0.0]
    for left, right in itertools.pairwise(row):
        offsets.append(offsets[-1] + (sizes[left].width + sizes[right].width) / 2 + BETWEEN)
    pools: list[tuple[float, int]] = []
    for place, offset in zip(row, offsets, strict=False):
        total, count = wanted[place] - offset, 1
        while pools and pools[-1][0] / pools[-1][1] >= total / count:
            before = pools.pop()
            total, count = total + before[0], count + before[1]
        pools.append((total, count))
    settled = [total / count for total, count in pools for _ in range(count)]
    return {place: base + offset for place, base, offset in zip(row, settled, offsets, strict=False)}


def _rectangles(rows: Rows, sizes: Mapping[Place, Size], centres: Mapping[Place, float]) -> dict[Place, Rectangle]:
    """Places rows one below the other, with more space between them if lines go far to the side."""
    widest = [0.0] * len(rows.rows)
    row_of = {place: index for index, row in enumerate(rows.rows) for place in row}
    for upper, lower in rows.steps:
        widest[row_of[upper]] = max(widest[row_of[upper]], abs(centres[upper] - centres[lower]))
    where: dict[Place, Rectangle] = {}
    top = 0.0
    for index, row in enumerate(rows.rows):
        height = max((sizes[place].height for place in row), default=0.0)
        for place in row:
            width = sizes[place].width
            where[place] = Rectangle(centres[place] - width / 2, top, width, height)
        top += height + _room(widest[index], above_labels=index % 2 == 0)
    return where


def _room(sideways: float, *, above_labels: bool) -> float:
    least = 16.0 if above_labels else 18.0
    return least + min(sideways * 0.09, 70.0)


def _labels(rows: Rows, where: Mapping[Place, Rectangle]) -> list[Label]:
    return [
        Label(upper.label, where[upper], links) for (upper, _), links in rows.steps.items() if isinstance(upper, LabelPlace)
    ]


def _segments(rows: Rows, where: Mapping[Place, Rectangle]) -> list[Segment]:
    ports = _ports(rows, where)
    passing: dict[Place, tuple[int, ...]] = {}
    segments = []
    for (upper, lower), links in rows.steps.items():
        is_end = isinstance(lower, BoxPlace)
        arrives = ports[upper] if is_end else where[lower].centre
        segments.append(Segment(Point(where[upper].centre, where[upper].bottom), Point(arrives, where[lower].y), links, is_end))
        if isinstance(lower, PassingPlace):
            passing[lower] = (*passing.get(lower, ()), *links)
    for place, links in passing.items():
        around = where[place]
        if around.height:
            top, bottom = Point(around.centre, around.y), Point(around.centre, around.bottom)
            segments.append(Segment(top, bottom, links, is_end=False))
    return segments


def _ports(rows: Rows, where: Mapping[Place, Rectangle]) -> dict[Place, float]:
    """The x at which the line of each label meets its box: side by side, in the labels' order."""
    arriving: dict[Place, list[Place]] = {}
    for upper, lower in rows.steps:
        if isinstance(lower, BoxPlace):
            arriving.setdefault(lower, []).append(upper)
    ports = {}
    for box, labels in arriving.items():
        room = min(PORTS, where[box].width * 0.8 / len(labels))
        first = where[box].centre - room * (len(labels) - 1) / 2
        for index, label in enumerate(sorted(labels, key=lambda label: where[label].x)):
            ports[label] = first + index * room
    return ports
