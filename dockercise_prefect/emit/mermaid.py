"""A pipeline as a Mermaid flowchart, which GitHub, GitLab and many editors draw."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from dockercise_prefect.emit.drawing import Arrow, Box, Shape, drawing
from dockercise_prefect.emit.request import Request

_SHAPES = {Shape.RUN: ("[", "]"), Shape.BUILD: ("[[", "]]"), Shape.JOIN: ("([", "])")}

_TOLD = re.compile(r'["#$%&*;<>\[\\\]^`{|}~]|(?<!\S)[-+./:,@_=!]|\.(?=\s)')
"""Characters that would end a text, or begin an entity, HTML, Markdown or a formula in it; some only at a word's beginning."""


def mermaid(request: Request) -> str:
    """The flowchart: boxes as `n0`, `n1` …, whatever the stages' names are.

    A stage that builds has a double edge, a stage without a container has round ends, and a target has a thick border. An arrow
    is dotted if all its edges are inferred.
    """
    return "".join(f"{line}\n" for line in _lines(request))


def _lines(request: Request) -> Iterator[str]:
    picture = drawing(request)
    yield "---"
    yield f"title: {json.dumps(picture.title)}"
    yield "---"
    yield "flowchart TD"
    for index, box in enumerate(picture.boxes):
        yield f"    {_box(index, box)}"
    for arrow in picture.arrows:
        yield f"    {_arrow(arrow)}"
    if any(box.is_target for box in picture.boxes):
        yield "    classDef target stroke-width:4px"


def _box(index: int, box: Box) -> str:
    opening, closing = _SHAPES[box.shape]
    label = "<br/>".join(_text(line) for line in box.lines)
    return f'n{index}{opening}"{label}"{closing}' + (":::target" if box.is_target else "")


def _arrow(arrow: Arrow) -> str:
    line = "-.->" if arrow.is_inferred else "-->"
    return f'n{arrow.source} {line}|"{_text(arrow.label)}"| n{arrow.target}'


def _text(text: str) -> str:
    """A text between double quotes, with entities written with `#`."""
    return _TOLD.sub(lambda found: f"#{ord(found[0])};", text)
