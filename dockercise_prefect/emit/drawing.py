"""A pipeline as boxes and arrows: what every picture of it shows, independent of the syntax of a format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from dockercise_prefect.emit.request import Request
from dockercise_prefect.frontend.findings import printable
from dockercise_prefect.pipeline import (
    Build,
    CodeSnapshot,
    Dependency,
    DependencyKind,
    Image,
    ImageReference,
    Pipeline,
    Stage,
    StageImage,
    StageName,
    StageVolume,
)
from dockercise_prefect.pipeline.instances import folded

LONGEST = 36
"""The most characters of a line in a box. The middle of longer lines is left out: it matters least in image references."""


class Shape(StrEnum):
    """What a stage does; it decides the form of its box."""

    RUN = "run"
    BUILD = "build"
    JOIN = "join"


@dataclass(frozen=True, slots=True)
class Box:
    """One stage, or all instances of one stage.

    Attributes:
        stage: the stage; the stage as written, if the box is of its instances.
        name: the whole name of the stage, printable.
        detail: the second line: what the stage runs in.
        trigger: which changed files make it a target, or None.
        is_target: whether the user asked for it.
        place: where it was written, or None.
    """

    stage: StageName
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
    targets = pipeline.named(request.targets)
    for shown_as in (folded(pipeline.instances, pipeline.by_name), {}):
        boxes: dict[StageName, Box] = {}
        for stage in pipeline:
            name = shown_as.get(stage.name, stage.name)
            boxes.setdefault(name, _box(stage, targets) if name == stage.name else _folded_box(stage, pipeline, targets))
        arrows = _arrows(pipeline, list(boxes), shown_as)
        if all(arrow.source < arrow.target for arrow in arrows):
            break  # otherwise, another stage runs between two instances, and needs one of them: they are not folded
    return Drawing(printable(pipeline.name), tuple(boxes.values()), tuple(arrows))


def _arrows(pipeline: Pipeline, boxes: Sequence[StageName], shown_as: Mapping[StageName, StageName]) -> list[Arrow]:
    """The arrows between boxes. Edges of folded instances of the same kind are one edge."""
    position = {name: index for index, name in enumerate(boxes)}
    found: dict[tuple[int, int], dict[tuple[DependencyKind, bool], Dependency]] = {}
    for stage in pipeline:
        for edge in stage.depends_on:
            ends = position[shown_as.get(edge.stage, edge.stage)], position[shown_as.get(stage.name, stage.name)]
            found.setdefault(ends, {}).setdefault((edge.kind, edge.inferred), edge)
    return [Arrow(source, target, tuple(edges.values())) for (source, target), edges in found.items()]


def shortened(line: str) -> str:
    """A line of at most `LONGEST` characters, its middle left out."""
    if len(line) <= LONGEST:
        return line
    end = (LONGEST - 1) // 2
    return f"{line[: LONGEST - 1 - end]}…{line[-end:]}"


def _box(stage: Stage, targets: Sequence[StageName]) -> Box:
    return Box(
        stage=stage.name,
        name=printable(stage.name),
        detail=printable(_detail(stage)),
        trigger=_trigger(stage.triggers),
        shape=_shape(stage),
        is_target=stage.name in targets,
        place=None if stage.place is None else str(stage.place),
    )


def _folded_box(stage: Stage, pipeline: Pipeline, targets: Sequence[StageName]) -> Box:
    """The box of all instances of a stage, of which this one is the first."""
    instances = pipeline.instances[stage.written_name]
    box = _box(stage, targets)
    return replace(box, stage=stage.written_name, name=printable(stage.written_name), detail=f"{len(instances)} instances")


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
