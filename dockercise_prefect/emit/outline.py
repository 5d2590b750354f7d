"""A pipeline's graph for a terminal: one line for each stage."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from dockercise_prefect.emit.drawing import Arrow, Box, drawing
from dockercise_prefect.emit.request import Request


def outline(request: Request) -> str:
    """The stages in the order in which they can run, each with the stages before it and the reasons."""
    picture = drawing(request)
    width = max((_columns(box.name) for box in picture.boxes), default=0)
    arriving: dict[int, list[Arrow]] = {}
    for arrow in picture.arrows:
        arriving.setdefault(arrow.target, []).append(arrow)
    lines = []
    for index, box in enumerate(picture.boxes):
        blanks = " " * (width - _columns(box.name))
        lines.append("  ".join([box.name + blanks, *_facts(box, arriving.get(index, []), picture.boxes)]).rstrip())
    return "".join(f"{line}\n" for line in lines)


def _facts(box: Box, arrows: list[Arrow], boxes: tuple[Box, ...]) -> Iterator[str]:
    if arrows:
        yield "after " + ", ".join(f"{boxes[arrow.source].name} ({_kinds(arrow)})" for arrow in arrows)
    if box.trigger:
        yield f"[{box.trigger}]"


def _kinds(arrow: Arrow) -> str:
    return ", ".join(f"inferred {edge.kind}" if edge.inferred else edge.kind for edge in arrow.dependencies)


def _columns(text: str) -> int:
    """The columns that a text takes on a terminal."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
        for character in text
    )
