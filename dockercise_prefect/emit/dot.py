"""A pipeline in DOT, the language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterator

from dockercise_prefect.emit.drawing import Arrow, Box, Shape, drawing
from dockercise_prefect.emit.request import Request

_FONT = "Helvetica,Arial,sans-serif"
_GRAPH = f'bgcolor="white", fontname="{_FONT}", nodesep=0.35, ranksep=0.55, pad=0.25'
_NODE = (
    f'shape=box, style="rounded,filled", fillcolor="white", color="#64748b", fontname="{_FONT}", fontsize=12, margin="0.18,0.1"'
)
_EDGE = f'color="#64748b", fontname="{_FONT}", fontsize=10, fontcolor="#475569", arrowsize=0.7'

_SHAPES = {
    Shape.RUN: "",
    Shape.BUILD: ', shape=component, style=filled, fillcolor="#eff6ff"',
    Shape.JOIN: ', shape=ellipse, style=filled, fillcolor="#f8fafc"',
}


def dot(request: Request) -> str:
    """The graph: boxes as `n0`, `n1` …, whatever the stages' names are.

    A stage that builds is drawn as a component, a stage without a container as an ellipse, and a target with a second border.
    An arrow is dashed if all its edges are inferred. Tool tips show the places.
    """
    return "".join(f"{line}\n" for line in _lines(request))


def _lines(request: Request) -> Iterator[str]:
    picture = drawing(request)
    yield f"digraph {_quoted(picture.title)} {{"
    yield f"    graph [{_GRAPH}]"
    yield f"    node [{_NODE}]"
    yield f"    edge [{_EDGE}]"
    for index, box in enumerate(picture.boxes):
        yield f"    n{index} [{_box(box)}]"
    for arrow in picture.arrows:
        yield f"    n{arrow.source} -> n{arrow.target} [{_arrow(arrow)}]"
    yield "}"


def _box(box: Box) -> str:
    target = ", peripheries=2" if box.is_target else ""
    return f"label={_quoted(*box.lines)}{_SHAPES[box.shape]}{target}, tooltip={_quoted(_tip(box))}"


def _tip(box: Box) -> str:
    return f"{box.name} ({box.place})" if box.place else box.name


def _arrow(arrow: Arrow) -> str:
    style = ", style=dashed" if arrow.is_inferred else ""
    return f"label={_quoted(arrow.label)}{style}, edgetooltip={_quoted(arrow.reasons)}, labeltooltip={_quoted(arrow.reasons)}"


def _quoted(*lines: str) -> str:
    r"""Lines as one quoted text, in which `\` begins an escape and `&` an entity of HTML."""
    return '"' + r"\n".join(line.replace("\\", r"\\").replace('"', r"\"").replace("&", "&amp;") for line in lines) + '"'
