"""A pipeline as an SVG picture: one file, readable on light and dark pages, with the same bytes for the same pipeline."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from types import MappingProxyType

from dockercise_prefect.emit.drawing import Arrow, Box, Drawing, Shape, drawing
from dockercise_prefect.emit.layers import Link
from dockercise_prefect.emit.layout import Label, Layout, Rectangle, Segment, Size, lay_out
from dockercise_prefect.emit.request import Request
from dockercise_prefect.pipeline import StageName

MARGIN = 24.0

NAME_SIZE = 13
TEXT_SIZE = 11
LINE_HEIGHT = 16.0
NARROWEST_BOX = 84.0
PADDING = 14.0
LABEL_HEIGHT = 14.0
ARROW = 7.0

NO_LOOKS: Mapping[StageName, Look] = MappingProxyType({})

TOLD = 12
"""The most links that the tool tip of a shared line names."""

_STYLE = """\
text { font-family: ui-sans-serif, system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; text-anchor: middle }
.card { fill: #ffffff; stroke: #e2e8f0 }
.box { fill: #f8fafc; stroke: #64748b; stroke-width: 1.25 }
.build .box { fill: #eff6ff; stroke: #2563eb }
.join .box { fill: #ffffff; stroke: #94a3b8 }
.target .box { stroke-width: 3 }
.name { font-size: 13px; font-weight: 600; fill: #0f172a }
.text { font-size: 11px; fill: #475569 }
.trigger { font-size: 11px; font-style: italic; fill: #92400e }
.line { fill: none; stroke: #64748b; stroke-width: 1.25 }
.inferred { stroke-dasharray: 5 4 }
.arrow { fill: #64748b }
.label { font-size: 11px; fill: #334155 }
@media (prefers-color-scheme: dark) {
.card { fill: #0f172a; stroke: #1e293b }
.box { fill: #1e293b; stroke: #94a3b8 }
.build .box { fill: #172554; stroke: #60a5fa }
.join .box { fill: #0f172a; stroke: #64748b }
.name { fill: #f1f5f9 }
.text { fill: #cbd5e1 }
.trigger { fill: #fbbf24 }
.line { stroke: #94a3b8 }
.arrow { fill: #94a3b8 }
.label { fill: #cbd5e1 }
}
"""


@dataclass(frozen=True, slots=True)
class Look:
    """What a box shows in addition.

    Attributes:
        state: how the stage ended, as a class of its box.
        mark: a sign before its name, so that nothing is shown by colour alone.
        told: the text of its tool tip.
        link: the target of its link.
    """

    state: str
    mark: str
    told: str
    link: str


def svg(request: Request, looks: Mapping[StageName, Look] = NO_LOOKS) -> str:
    """The picture, with Dockercise's own layout.

    Args:
        request: the pipeline.
        looks: for stages of a run, how they ended; also for stages whose instances share a box.

    A stage that builds has a double border, a stage without a container has round ends, and a target has a thick border. A line
    is dashed if all its edges are inferred. Tool tips show the places.
    """
    picture = drawing(request)
    boxes = [_Looking(box, looks.get(box.stage)) for box in picture.boxes]
    links = [Link(arrow.source, arrow.target, arrow.label) for arrow in picture.arrows]
    labels = {link.label: Size(_width(link.label, TEXT_SIZE), LABEL_HEIGHT) for link in links}
    layout = lay_out([_box_size(box) for box in boxes], links, labels)
    return "".join(f"{line}\n" for line in _document(picture, boxes, layout))


def _document(picture: Drawing, boxes: Sequence[_Looking], layout: Layout) -> Iterator[str]:
    width, height = layout.size.width + 2 * MARGIN, layout.size.height + 2 * MARGIN
    title = escape(picture.title)
    role = "group" if any(box.look for box in boxes) else "img"  # links inside of an `img` cannot be reached
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="{role}" aria-label="Stages of {title}" '
        f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">'
    )
    yield f"<title>{title}</title>"
    yield f"<style>\n{_STYLE}</style>"
    yield f'<rect class="card" x="0.5" y="0.5" width="{width - 1:.0f}" height="{height - 1:.0f}" rx="10"/>'
    yield f'<g transform="translate({MARGIN:.0f} {MARGIN:.0f})">'
    for segment in layout.segments:
        yield from _segment(segment, picture)
    for label in layout.labels:
        yield _label(label, picture)
    for box, where in zip(boxes, layout.boxes, strict=True):
        yield from _box(box, where)
    yield "</g>"
    yield "</svg>"


def _segment(segment: Segment, picture: Drawing) -> Iterator[str]:
    arrows = [picture.arrows[index] for index in segment.links]
    start, end = segment.start, segment.end
    bottom = end.y - ARROW if segment.is_end else end.y
    middle = (start.y + bottom) / 2
    way = f"M{start.x:.1f} {start.y:.1f}C{start.x:.1f} {middle:.1f} {end.x:.1f} {middle:.1f} {end.x:.1f} {bottom:.1f}"
    if start.x == end.x:
        way = f"M{start.x:.1f} {start.y:.1f}V{bottom:.1f}"
    inferred = " inferred" if all(arrow.is_inferred for arrow in arrows) else ""
    yield f'<g><title>{_told(arrows, picture)}</title><path class="line{inferred}" d="{way}"/>'
    if segment.is_end:
        half = ARROW / 2
        yield f'<path class="arrow" d="M{end.x:.1f} {end.y:.1f}l{-half:.1f} {-ARROW:.1f}h{ARROW:.1f}z"/>'
    yield "</g>"


def _label(label: Label, picture: Drawing) -> str:
    arrows = [picture.arrows[index] for index in label.links]
    baseline = label.where.y + LABEL_HEIGHT - 3
    return (
        f'<text class="label" x="{label.where.centre:.1f}" y="{baseline:.1f}">'
        f"<title>{_told(arrows, picture)}</title>{escape(label.text)}</text>"
    )


def _told(arrows: Sequence[Arrow], picture: Drawing) -> str:
    names = picture.boxes
    lines = [f"{names[arrow.target].name} needs {names[arrow.source].name}: {arrow.reasons}" for arrow in arrows[:TOLD]]
    if len(arrows) > TOLD:
        lines.append(f"and {len(arrows) - TOLD} more")
    return escape("\n".join(lines))


def _box(looking: _Looking, where: Rectangle) -> Iterator[str]:
    box, look = looking.box, looking.look
    kinds = " ".join([str(box.shape), *(["target"] if box.is_target else []), *([look.state] if look else [])])
    place = f" ({box.place})" if box.place else ""
    if look:
        yield f'<a href="{escape(look.link)}" aria-label="{escape(f"{box.name}: {look.told}")}">'
    yield f'<g class="{kinds}">'
    yield f"<title>{escape(f'{box.name}: {look.told}' if look else box.name + place)}</title>"
    yield _outline(where, where.height / 2 if box.shape is Shape.JOIN else 6.0)
    if box.shape is Shape.BUILD:
        yield _outline(Rectangle(where.x + 3, where.y + 3, where.width - 6, where.height - 6), 4.0)
    baseline = where.y + (where.height - len(looking.lines) * LINE_HEIGHT) / 2 + 12
    for index, (kind, line) in enumerate(looking.lines):
        yield f'<text class="{kind}" x="{where.centre:.1f}" y="{baseline + index * LINE_HEIGHT:.1f}">{escape(line)}</text>'
    yield "</g>"
    if look:
        yield "</a>"


def _outline(where: Rectangle, radius: float) -> str:
    return (
        f'<rect class="box" x="{where.x:.1f}" y="{where.y:.1f}" width="{where.width:.1f}" height="{where.height:.1f}" '
        f'rx="{radius:.1f}"/>'
    )


@dataclass(frozen=True, slots=True)
class _Looking:
    """A box, and what it shows in addition."""

    box: Box
    look: Look | None

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Its texts, each with its class."""
        lines = self.box.lines
        if self.look:
            lines[0] = f"{self.look.mark} {lines[0]}"
        return list(zip(("name", "text", "trigger"), lines, strict=False))


def _box_size(looking: _Looking) -> Size:
    widest = max(_width(line, NAME_SIZE if kind == "name" else TEXT_SIZE) for kind, line in looking.lines)
    round_ends = LINE_HEIGHT if looking.box.shape is Shape.JOIN else 0.0
    return Size(max(widest + 2 * PADDING + round_ends, NARROWEST_BOX), len(looking.lines) * LINE_HEIGHT + PADDING)


def _width(text: str, size: int) -> float:
    """The approximate width of a text in a common sans-serif font, rather too large than too small."""
    return round(sum(_em(character) for character in text) * size, 1)


def _em(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in {"W", "F"}:
        return 1.05
    if character in "iljtf.,:;|!'()[] /":
        return 0.36
    if character in "mwMW@%…—☃" or character > "\u1fff":
        return 0.95
    return 0.72 if character.isupper() else 0.6
