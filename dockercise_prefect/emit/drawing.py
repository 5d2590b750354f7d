"""A pipeline as boxes and arrows: what every picture of it shows, independent of the syntax of a format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dockercise_prefect.emit.request import Request
from dockercise_prefect.frontend.findings import printable
from dockercise_prefect.pipeline import (
    Build,
    CodeSnapshot,
    Dependency,
    Image,
    ImageReference,
    Stage,
    StageImage,
    StageName,
    StageVolume,
)

LONGEST = 36
"""The most characters of a line in a box. The middle of longer lines is left out: it matters least in image references."""


class Shape(StrEnum):
    """What a stage does; it decides the form of its box."""

    RUN = "run"
    BUILD = "build"
    JOIN = "join"


@dataclass(frozen=True, slots=True)
class Box:
    """One stage.

    Attributes:
        name: the whole name of the stage, printable.
        detail: the second line: what the stage runs in.
        trigger: which changed files make it a target, or None.
        is_target: whether the user asked for it.
        place: where it was written, or None.
    """

    name: str
    detail: str
    trigger: str | None
    shape: Shape
    is_target: bool
    place: str | None

    @property
    def lines(self) -> list[str]:
        """The texts in the box, the name first, each shortened so that it can be drawn."""
        return [shortened(line) for line in (self.name, self.detail, self.trigger) if line]


@dataclass(frozen=True, slots=True)
class Arrow:
    """All edges between two stages, drawn as one arrow: from the one that runs first to the one that needs it.

    Attributes:
        source, target: positions among the boxes.
        dependencies: the edges, at least one.
    """

    source: int
    target: int
    dependencies: tuple[Dependency, ...]

    @property
    def is_inferred(self) -> bool:
        """Whether all its edges are inferred."""
        return all(edge.inferred for edge in self.dependencies)

    @property
    def label(self) -> str:
        """The kinds of the edges. Inferred ones are in brackets, so that they can be recognized without the dashed line."""
        return ", ".join(f"({edge.kind})" if edge.inferred else str(edge.kind) for edge in self.dependencies)

    @property
    def reasons(self) -> str:
        """Each kind with its place: `env (a.dockercise.yaml:3:8), vol (inferred, …)`."""
        return ", ".join(_reason(edge) for edge in self.dependencies)


@dataclass(frozen=True, slots=True)
class Drawing:
    """The boxes in the pipeline's order, so that every arrow leads from a box to a later one."""

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def drawing(request: Request) -> Drawing:
    """What to draw of a pipeline."""
    pipeline = request.pipeline
    position = {stage.name: index for index, stage in enumerate(pipeline)}
    boxes = [_box(stage, request.targets) for stage in pipeline]
    arrows = [
        Arrow(position[earlier], position[stage.name], tuple(edge for edge in stage.depends_on if edge.stage == earlier))
        for stage in pipeline
        for earlier in stage.needs
    ]
    return Drawing(printable(pipeline.name), tuple(boxes), tuple(arrows))


def shortened(line: str) -> str:
    """A line of at most `LONGEST` characters, its middle left out."""
    if len(line) <= LONGEST:
        return line
    end = (LONGEST - 1) // 2
    return f"{line[: LONGEST - 1 - end]}…{line[-end:]}"


def _box(stage: Stage, targets: Sequence[StageName]) -> Box:
    return Box(
        name=printable(stage.name),
        detail=printable(_detail(stage)),
        trigger=_trigger(stage.triggers),
        shape=_shape(stage),
        is_target=stage.name in targets,
        place=None if stage.place is None else str(stage.place),
    )


def _shape(stage: Stage) -> Shape:
    if stage.build is not None:
        return Shape.BUILD
    return Shape.JOIN if stage.joins_only else Shape.RUN


def _detail(stage: Stage) -> str:
    if stage.build is not None:
        return _built(stage.build)
    return _image(stage.image)


def _built(build: Build) -> str:
    match build.context:
        case CodeSnapshot():
            root = "code"
        case StageVolume(stage):
            root = stage
    return f"builds {root}" if build.folder == "." else f"builds {root}/{build.folder}"


def _image(image: Image | None) -> str:
    match image:
        case None:
            return "no container"
        case ImageReference(ref):
            return ref
        case StageImage(stage):
            return f"image of {stage}"


def _trigger(globs: Sequence[str]) -> str | None:
    if not globs:
        return None
    more = f" and {len(globs) - 1} more" if len(globs) > 1 else ""
    return printable(f"on {globs[0]}{more}")


def _reason(edge: Dependency) -> str:
    facts = [*(["inferred"] if edge.inferred else []), *([str(edge.place)] if edge.place else [])]
    return f"{edge.kind} ({', '.join(facts)})" if facts else str(edge.kind)
