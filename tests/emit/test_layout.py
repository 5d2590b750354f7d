"""The places of boxes, labels and lines in a drawing."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.emit.layers import Link, in_rows, ranked
from dockercise_prefect.emit.layout import Layout, Rectangle, Size, lay_out

LABELS = {"env": Size(20, 14), "after, vol": Size(60, 14)}


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Size], list[Link]]:
    """Boxes of any sizes, and links from boxes to later ones."""
    sizes = draw(st.lists(st.builds(Size, st.integers(40, 300), st.integers(30, 70)), max_size=40))
    links = []
    for target in range(1, len(sizes)):
        sources = draw(st.lists(st.integers(0, target - 1), unique=True, max_size=4))
        links += [Link(source, target, draw(st.sampled_from(sorted(LABELS)))) for source in sources]
    return sizes, links


def _overlap(one: Rectangle, other: Rectangle) -> bool:
    beside = one.x + one.width <= other.x + 0.01 or other.x + other.width <= one.x + 0.01
    return not (beside or one.bottom <= other.y + 0.01 or other.bottom <= one.y + 0.01)


def _pieces(layout: Layout, link: int) -> list[tuple[float, float]]:
    """The pieces of a link, including its label, from top to bottom as pairs of upper and lower end."""
    lines = [(segment.start.y, segment.end.y) for segment in layout.segments if link in segment.links]
    labels = [(label.where.y, label.where.bottom) for label in layout.labels if link in label.links]
    return sorted(lines + labels)


@given(graphs())
def test_nothing_overlaps(graph: tuple[list[Size], list[Link]]) -> None:
    """Boxes do not overlap each other, nor do labels, nor labels and boxes, and all are within the drawing."""
    layout = lay_out(*graph, LABELS)

    things = [*layout.boxes, *(label.where for label in layout.labels)]
    assert not any(_overlap(one, other) for one, other in combinations(things, 2))
    assert all(thing.x >= -0.01 and thing.y >= 0 for thing in things)
    assert all(thing.x + thing.width <= layout.size.width + 0.01 for thing in things)
    assert all(thing.bottom <= layout.size.height + 0.01 for thing in things)


@given(graphs())
def test_every_link_goes_down_without_a_break(graph: tuple[list[Size], list[Link]]) -> None:
    """A link leaves the lower edge of its box and goes down, through its label, to the upper edge of the other box."""
    sizes, links = graph

    layout = lay_out(sizes, links, LABELS)

    for index, link in enumerate(links):
        pieces = _pieces(layout, index)
        ends = [layout.boxes[link.source].bottom, *(lower for _, lower in pieces)]
        assert [upper for upper, _ in pieces] == ends[:-1]
        assert ends[-1] == layout.boxes[link.target].y
        assert ends == sorted(set(ends))


@given(graphs())
def test_no_line_crosses_a_box(graph: tuple[list[Size], list[Link]]) -> None:
    """Lines are curved only between rows; if they pass a row, they are straight and next to its boxes."""
    layout = lay_out(*graph, LABELS)

    for segment in layout.segments:
        left, right = sorted((segment.start.x, segment.end.x))
        way = Rectangle(left, segment.start.y, right - left, segment.end.y - segment.start.y)
        assert not any(_overlap(way, box) for box in layout.boxes)


@given(graphs())
def test_the_same_graph_is_placed_the_same(graph: tuple[list[Size], list[Link]]) -> None:
    """The same input always gives the same layout."""
    assert lay_out(*graph, LABELS) == lay_out(*graph, LABELS)


def test_ranks_go_by_the_longest_way() -> None:
    """A box is below all its needs, and one without needs is just above its first user."""
    links = [Link(0, 1, "env"), Link(1, 2, "env"), Link(0, 2, "env"), Link(3, 4, "env"), Link(2, 4, "env")]

    assert ranked(5, links) == [0, 1, 2, 2, 3]


def test_a_wide_rank_is_folded() -> None:
    """Forty boxes in one rank become several rows, so that a picture is never one thin line."""
    links = [Link(0, box, "env") for box in range(1, 41)]

    held = Counter(ranked(41, links))

    assert max(held.values()) < 12


def test_two_chains_do_not_cross() -> None:
    """Two chains whose stages are written alternately are drawn next to each other."""
    links = [Link(0, 3, "env"), Link(1, 2, "env"), Link(2, 5, "env"), Link(3, 4, "env")]

    layout = lay_out([Size(50, 40)] * 6, links, LABELS)

    sides = [[layout.boxes[box].x for box in chain] for chain in ((0, 3, 4), (1, 2, 5))]
    assert max(sides[0]) < min(sides[1]) or max(sides[1]) < min(sides[0])


def test_links_that_pass_rows_share_a_line() -> None:
    """Links from one box to many boxes further down pass each row as one line."""
    links = [Link(box, box + 1, "env") for box in range(5)] + [Link(0, box, "after, vol") for box in (3, 4, 5)]

    rows = in_rows(6, links).rows

    assert max(len(row) for row in rows) <= 3


def test_nothing_to_draw() -> None:
    """Without boxes, the drawing is empty."""
    assert lay_out([], [], {}) == Layout(Size(0, 0), (), (), ())
