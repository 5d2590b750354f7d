"""Which instances a stage takes that names a stage with `matrix`: its counterpart, or all of them (LANGUAGE-2 section 10)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from dockercise_prefect.compiler.drafts import Draft
from dockercise_prefect.compiler.reading.mounts import PlacedMount
from dockercise_prefect.compiler.reading.variables import Variable
from dockercise_prefect.errors import Place, Related
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.pipeline import (
    Code,
    Dependency,
    DependencyKind,
    EnvSource,
    Instance,
    Mount,
    StageImage,
    StageName,
    StageValue,
    StageValues,
    StageVolume,
)
from dockercise_prefect.pipeline.instances import seen_as

_OF_ONE = {DependencyKind.ON, DependencyKind.IMG}
"""Edges that can only lead to one stage."""


class Consumers:
    """Completes stages that name a stage with `matrix`, which is none of the pipeline's stages: its instances are.

    Args:
        instances: the instances of the pipeline, by their names, in the order of the pipeline.
        places: where each stage with `matrix` is written.
        findings: collects stages that need one instance and have no counterpart (DK089).
    """

    def __init__(self, instances: Mapping[StageName, Instance], places: Mapping[StageName, Place], findings: Findings) -> None:
        self._by_name = instances
        self._places = places
        self._findings = findings
        self._of: dict[StageName, list[Instance]] = {}
        for instance in instances.values():
            self._of.setdefault(instance.of, []).append(instance)

    def names_of(self, stage: StageName) -> tuple[StageName, ...]:
        """The names of a stage's instances; the stage's own name if it has none."""
        return tuple(instance.name for instance in self._of.get(stage, ())) or (stage,)

    def complete(self, draft: Draft) -> Draft:
        """The stage, with instances in place of the stages with `matrix` that it names."""
        if not self._by_name or not any(edge.stage in self._of or edge.stage in self._by_name for edge in draft.edges):
            return draft
        draft = self._with_context(draft)
        edges = [found for edge in draft.edges for found in self._edges(draft, edge)]
        image = draft.settings.get("image")
        if isinstance(image, StageImage):
            draft = replace(draft, settings={**draft.settings, "image": StageImage(self._only(draft, image.stage))})
        return replace(
            draft,
            edges=edges,
            mounts=self._mounts(draft),
            env={name: self._variable(draft, variable) for name, variable in draft.env.items()},
            on=None if draft.on is None else self._only(draft, draft.on),
            guessed=frozenset((kind, one) for kind, stage in draft.guessed for one in self._names(draft, stage)),
        )

    def inherited(self, draft: Draft, variables: Mapping[str, Variable]) -> Mapping[str, Variable]:
        """The variables that a stage inherits from `meta.env`, as this stage sees them."""
        return {name: self._variable(draft, variable) for name, variable in variables.items()} if self._of else variables

    def _found(self, draft: Draft, stage: StageName) -> list[Instance]:
        """The instances of a stage with `matrix` that this stage takes; none if its counterpart is missing."""
        found = self._of[stage]
        if not self._is_paired(draft, stage):
            return found
        values = draft.instance.values if draft.instance else {}
        return [one for one in found if one.values.items() <= values.items()]

    def _is_paired(self, draft: Draft, stage: StageName) -> bool:
        """Whether this stage takes its counterpart: it has every variable of the other matrix."""
        axes = self._of[stage][0].values.keys()
        return draft.instance is not None and draft.written_name != stage and axes <= draft.instance.values.keys()

    def _names(self, draft: Draft, stage: StageName) -> list[StageName]:
        return [one.name for one in self._found(draft, stage)] if stage in self._of else [stage]

    def _only(self, draft: Draft, stage: StageName) -> StageName:
        """The one instance that this stage takes. `_edges` reports it if there is no such instance."""
        names = self._names(draft, stage)
        return names[0] if len(names) == 1 else stage

    def _edges(self, draft: Draft, edge: Dependency) -> Iterator[Dependency]:
        if edge.stage not in self._of:
            yield edge
            return
        found = self._found(draft, edge.stage)
        if not found:
            self._report_missing(draft, edge)
        elif edge.kind in _OF_ONE and not self._is_paired(draft, edge.stage):
            self._report_several(draft, f"{edge.kind.phrase} `{edge.stage}`", edge.stage, edge.place, f"{edge.kind}: {{}}")
        else:
            for one in found:
                yield replace(edge, stage=one.name, seen_as=seen_as(draft.instance, one))

    def _mounts(self, draft: Draft) -> list[PlacedMount]:
        taken: dict[str, PlacedMount] = {}
        for placed in draft.mounts:
            for mount in self._mounts_of(draft, placed.mount):
                known = taken.setdefault(mount.target, replace(placed, mount=mount))
                if known.mount != mount:
                    self._findings.error(
                        Code.MOUNT_TWICE,
                        f"{draft.name}: two mounts use the path `{mount.target}`",
                        placed.place,
                        hint="give one of them another path",
                        related=[Related("the first is here", known.place)],
                    )
        return list(taken.values())

    def _mounts_of(self, draft: Draft, mount: Mount) -> Iterator[Mount]:
        source = mount.source
        if not isinstance(source, StageVolume):
            yield mount
        elif source.stage in self._by_name:  # an instance that is named: at its usual path, unless another path is written
            usual = f"/{seen_as(draft.instance, self._by_name[source.stage])}"
            yield mount.at(usual if mount.target == f"/{source.stage}" else mount.target)
        elif source.stage not in self._of:
            yield mount
        else:
            is_paired = self._is_paired(draft, source.stage)
            for one in self._found(draft, source.stage):
                yield Mount(StageVolume(one.name), mount.target if is_paired else f"{mount.target}/{one.key}", mount.mode)

    def _variable(self, draft: Draft, variable: Variable) -> Variable:
        return replace(variable, source=self._source(draft, variable.source))

    def _source(self, draft: Draft, source: EnvSource) -> EnvSource:
        if not isinstance(source, StageValue) or source.stage not in self._of:
            return source
        names = self._names(draft, source.stage)
        if self._is_paired(draft, source.stage) and names:
            return StageValue(names[0])
        return StageValues(tuple(names) or self.names_of(source.stage))

    def _with_context(self, draft: Draft) -> Draft:
        """The stage, which builds from the volume of one instance: its counterpart, or the one whose folder it names."""
        placed = draft.build
        if placed is None or not isinstance(placed.build.context, StageVolume) or placed.build.context.stage not in self._of:
            return draft
        stage, folder = placed.build.context.stage, placed.build.folder
        others = [edge for edge in draft.edges if (edge.kind, edge.place) != (DependencyKind.VOL, placed.place)]
        if self._is_paired(draft, stage):
            name = self._only(draft, stage)
        else:
            key, _, rest = folder.partition("/")
            named = [one.name for one in self._of[stage] if one.key == key]
            if not named:
                hint = f"build: /{stage}/{self._of[stage][0].key}"
                self._report_several(draft, f"builds from the volume of `{stage}`", stage, placed.place, hint)
                return replace(draft, edges=others)
            name, folder = named[0], rest or "."
        build = replace(placed.build, context=StageVolume(name), folder=folder)
        edge = Dependency(name, DependencyKind.VOL, placed.place)
        return replace(draft, build=replace(placed, build=build), edges=[*others, edge])

    def _report_missing(self, draft: Draft, edge: Dependency) -> None:
        values = draft.instance.values if draft.instance else {}
        wanted = ", ".join(f"{axis} {values[axis]}" for axis in self._of[edge.stage][0].values)
        self._findings.error(
            Code.NO_COUNTERPART,
            f"{draft.name} {edge.kind.phrase} `{edge.stage}`, which has no instance with {wanted}",
            edge.place,
            hint=f"add this combination to the matrix of `{edge.stage}`, or take it away from this one with `exclude`",
            related=self._related(edge.stage),
        )

    def _report_several(self, draft: Draft, what: str, stage: StageName, place: Place | None, one: str) -> None:
        axes = self._of[stage][0].values
        example = one.format(self._of[stage][0].name)
        self._findings.error(
            Code.NO_COUNTERPART,
            f"{draft.name} {what}, which has {len(self._of[stage])} instances",
            place,
            hint=f"name one of them, `{example}`, or give this stage a matrix with {_listed(axes)}",
            related=self._related(stage),
        )

    def _related(self, stage: StageName) -> list[Related]:
        return [Related("the stage is here", self._places[stage])]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
