"""A stage that has been read, and the edges that follow from its parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingOf
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from typing import Any

from dockercise_prefect.compiler.reading.builds import PlacedBuild
from dockercise_prefect.compiler.reading.mounts import PlacedMount
from dockercise_prefect.compiler.reading.values import Field, Script
from dockercise_prefect.compiler.reading.variables import Variable
from dockercise_prefect.errors import Place
from dockercise_prefect.pipeline import (
    Dependency,
    DependencyKind,
    Each,
    Image,
    Instance,
    Stage,
    StageImage,
    StageName,
    StageVolume,
    stages_of,
)

_KINDS = tuple(DependencyKind)


@dataclass(slots=True)
class Draft:
    """A stage that has been read, before it inherits variables from `meta.env`.

    For speed, it is not frozen, like the nodes; but it is never changed.

    Attributes:
        settings: its own and inherited settings, by the attributes of `Stage`.
        starts_container: whether it starts a container, even if its image is wrong.
        leaves_image: whether it starts a container or builds an image, so that other stages may run in the image it leaves.
        implicit: whether anything is inferred from its script.
        dir_place: where its `dir` was written.
        cache_place: where its own `cache` was written.
        instance: which instance of a stage with `matrix` it is; None if it is not an instance.
        guessed: inferred edges that may be wrong, because their paths are in texts or in words of unknown commands.
    """

    name: StageName
    place: Place
    run: Script | None
    build: PlacedBuild | None
    env: MappingOf[str, Variable]
    mounts: SequenceOf[PlacedMount]
    on: StageName | None
    edges: SequenceOf[Dependency]
    settings: MappingOf[str, Any]
    starts_container: bool
    leaves_image: bool
    implicit: bool = True
    dir_place: Place | None = None
    cache_place: Place | None = None
    instance: Instance | None = None
    guessed: frozenset[tuple[DependencyKind, StageName]] = frozenset()

    @property
    def each(self) -> Each | None:
        """The lines that it has members for; None for a stage without members."""
        return self.settings.get("each")

    @property
    def each_place(self) -> Place | None:
        """Where the stage of its `each` was written."""
        return next((edge.place for edge in self.edges if edge.kind is DependencyKind.EACH), None)

    @property
    def working_dir(self) -> str:
        """The working directory in which its script starts (LANGUAGE section 3)."""
        written: str | None = self.settings.get("working_dir")
        return written or ("/" if self.on is None else f"/{self.written_name}")

    @property
    def written_name(self) -> StageName:
        """The name of the stage as it was written: `test` for `test(3.12,pg)`."""
        return self.name if self.instance is None else self.instance.of

    def stage(self, inherited: MappingOf[str, Variable]) -> Stage:
        """The finished stage. Its own variables replace inherited ones."""
        more = [variable for name, variable in inherited.items() if name not in self.env]
        env = {name: variable.source for name, variable in self.env.items()}
        env.update((variable.name, variable.source) for variable in more)
        settings = {key: value for key, value in self.settings.items() if value is not None}
        settings["working_dir"] = self.working_dir
        return Stage(
            name=self.name,
            run=self.run.text if self.run else None,
            build=self.build.build if self.build else None,
            env=env,
            mounts=tuple(placed.mount for placed in self.mounts),
            on=self.on,
            instance=self.instance,
            depends_on=_in_order([*self.edges, *env_edges(more)]),
            place=self.place,
            **settings,
        )


def volume_edges(mounts: Iterable[PlacedMount]) -> list[Dependency]:
    """An edge to each stage whose volume is mounted."""
    return [
        Dependency(placed.mount.source.stage, DependencyKind.VOL, placed.place, placed.inferred)
        for placed in mounts
        if isinstance(placed.mount.source, StageVolume)
    ]


def env_edges(variables: Iterable[Variable]) -> list[Dependency]:
    """An edge to each stage whose value is used."""
    return [
        Dependency(stage, DependencyKind.ENV, variable.place, variable.inferred)
        for variable in variables
        for stage in stages_of(variable.source)
    ]


def _in_order(edges: list[Dependency]) -> tuple[Dependency, ...]:
    """The edges, one of each kind to each stage, ordered by kind as in a declaration in Python."""
    if len(edges) > 1:
        edges.sort(key=_position)
        if len({edge.stage for edge in edges}) < len(edges):
            first: dict[tuple[int, StageName], Dependency] = {}
            for edge in edges:
                first.setdefault((_position(edge), edge.stage), edge)
            edges = list(first.values())
    return tuple(edges)


def _position(edge: Dependency) -> int:
    return _KINDS.index(edge.kind)


def build_edges(placed: PlacedBuild | None) -> Iterator[Dependency]:
    if placed is not None and isinstance(placed.build.context, StageVolume):
        yield Dependency(placed.build.context.stage, DependencyKind.VOL, placed.place)


def image_edges(image: Image | None, field: Field | None) -> Iterator[Dependency]:
    """The edge of an image. In the table of edges in LANGUAGE section 4, it is one of the inferred edges."""
    if field is not None and isinstance(image, StageImage):
        yield Dependency(image.stage, DependencyKind.IMG, field.place, inferred=True)
