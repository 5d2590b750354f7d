"""One stage as written to one stage as meant (LANGUAGE section 2)."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from typing import Any

from dockercise_prefect.compiler.keys import LATER_IN_STAGES, OF_A_CONTAINER, STAGE, check_keys, read_settings
from dockercise_prefect.compiler.meta import Meta
from dockercise_prefect.compiler.mounts import Mounts, PlacedMount
from dockercise_prefect.compiler.names import stage_name_problem
from dockercise_prefect.compiler.suggest import StageNames
from dockercise_prefect.compiler.values import Field, script, text, texts
from dockercise_prefect.compiler.variables import Variable, Variables
from dockercise_prefect.errors import Place
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.merge import StageDefinition
from dockercise_prefect.frontend.nodes import Mapping, Node, is_null
from dockercise_prefect.pipeline import (
    CODE,
    Code,
    Dependency,
    DependencyKind,
    ImageReference,
    Stage,
    StageName,
    StageValue,
    StageVolume,
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A stage that has been read, before it takes over what `meta.env` gives.

    Attributes:
        settings: attributes of `Stage`, its own and inherited ones.
        starts_container: also when its image turned out to be wrong.
    """

    name: StageName
    place: Place
    run: str | None
    env: MappingOf[str, Variable]
    mounts: SequenceOf[PlacedMount]
    on: StageName | None
    edges: SequenceOf[Dependency]
    settings: MappingOf[str, Any]
    starts_container: bool

    def stage(self, inherited: MappingOf[str, Variable]) -> Stage:
        """The finished stage; its own variables win over inherited ones."""
        env = {**self.env, **{name: variable for name, variable in inherited.items() if name not in self.env}}
        settings = {key: value for key, value in self.settings.items() if value is not None}
        settings.setdefault("working_dir", "/" if self.on is None else f"/{self.name}")
        return Stage(
            name=self.name,
            run=self.run,
            env={name: variable.source for name, variable in env.items()},
            mounts=tuple(placed.mount for placed in self.mounts),
            on=self.on,
            depends_on=self._in_order(env),
            place=self.place,
            **settings,
        )

    def _in_order(self, env: MappingOf[str, Variable]) -> tuple[Dependency, ...]:
        """The edges, one of a kind to each stage, by kind: the order in which a declaration in Python lists them."""
        edges = [edge for edge in self.edges if edge.kind is DependencyKind.AFTER]
        edges += _env_edges(env)
        edges += [edge for edge in self.edges if edge.kind in {DependencyKind.VOL, DependencyKind.ON}]
        first: dict[tuple[StageName, DependencyKind], Dependency] = {}
        for edge in edges:
            first.setdefault((edge.stage, edge.kind), edge)
        return tuple(first.values())


class StageReader:
    """Reads the stages of one pipeline."""

    def __init__(self, meta: Meta, names: StageNames, variables: Variables, findings: Findings) -> None:
        self._meta = meta
        self._names = names
        self._variables = variables
        self._findings = findings

    def read(self, definition: StageDefinition) -> Draft:
        """Check and read one stage; what is wrong is left out of it."""
        name, place = definition.name, definition.key.place
        problem = stage_name_problem(name)
        if problem:
            why, hint = problem
            self._findings.error(Code.STAGE_NAME, why, place, hint=hint)
        by_key = self._keys(definition)
        settings = {**self._meta.settings, **read_settings(name, by_key, self._findings)}
        settings["image"] = self._image(name, settings.get("image"), by_key)
        fields = {key: Field(name, key, node, self._findings) for key, node in by_key.items() if not is_null(node)}
        env = self._variables.read([fields["env"]] if "env" in fields else [])
        mounts = Mounts(name, fields["vol"], self._names).read() if "vol" in fields else []
        on = self._on(name, fields.get("on"))
        starts_container = "img" in fields or ("img" in self._meta.written and "img" not in by_key)
        self._check_run(name, by_key, fields, starts_container=starts_container)
        return Draft(
            name=name,
            place=place,
            run=script(fields["run"]) if "run" in fields else None,
            env=env,
            mounts=mounts,
            on=on.stage if on else None,
            edges=self._edges(fields.get("after"), name, env, mounts, on),
            settings=settings,
            starts_container=starts_container,
        )

    def _keys(self, definition: StageDefinition) -> MappingOf[str, Node]:
        body = definition.body
        if isinstance(body, Mapping):
            check_keys(definition.name, body, STAGE, LATER_IN_STAGES, self._findings)
            return body.by_key
        if not is_null(body):
            self._findings.error(
                Code.NOT_A_STAGE,
                f"{definition.name}: a stage is a mapping, and this is none",
                body.place,
                hint="below the name, indented, stand `img: …` and `run: …`",
            )
        return {}

    def _image(self, name: StageName, image: ImageReference | None, by_key: MappingOf[str, Node]) -> ImageReference | None:
        """The image; one that is the name of another stage is not supported yet (LANGUAGE section 4)."""
        if image is None or image.ref not in self._names or image.ref == name:
            return image
        owner, node = (name, by_key["img"]) if "img" in by_key else ("meta.defaults", self._meta.written["img"])
        self._findings.error(
            Code.NOT_SUPPORTED,
            f"{owner}: `img` names the stage {self._names.named(image.ref)}, and running in a stage is not supported yet",
            node.place,
            hint=f"for the image of that name write `docker.io/library/{image.ref}`",
        )
        return None

    def _check_run(
        self, name: StageName, by_key: MappingOf[str, Node], fields: MappingOf[str, Field], *, starts_container: bool
    ) -> None:
        if starts_container or "build" in by_key:
            return
        if "run" in fields:
            self._findings.error(
                Code.NOTHING_TO_RUN_IN,
                f"{name}: there is a `run`, and nothing to run it in",
                fields["run"].place,
                hint="add `img: …`",
            )
            return
        for key in fields.keys() & OF_A_CONTAINER:
            self._findings.warn(
                Code.NO_EFFECT,
                f"{name}: `{key}` has no effect, because the stage starts no container",
                fields[key].place,
                hint="add `img: …`, or take the key away",
            )

    def _on(self, name: StageName, field: Field | None) -> Dependency | None:
        origin = text(field) if field else None
        if field is None or origin is None:
            return None
        if origin == CODE or self._is_stage(f"{name} works on the volume of", origin, field.place):
            return Dependency(origin, DependencyKind.ON, field.place)
        return None

    def _edges(
        self,
        after: Field | None,
        name: StageName,
        env: MappingOf[str, Variable],
        mounts: SequenceOf[PlacedMount],
        on: Dependency | None,
    ) -> list[Dependency]:
        edges = [
            Dependency(earlier, DependencyKind.AFTER, place)
            for earlier, place in (texts(after) if after else [])
            if self._is_stage(f"{name} comes after", earlier, place)
        ]
        edges += _env_edges(env)
        edges += [
            Dependency(placed.mount.source.stage, DependencyKind.VOL, placed.place)
            for placed in mounts
            if isinstance(placed.mount.source, StageVolume)
        ]
        return [*edges, on] if on and on.stage != CODE else edges

    def _is_stage(self, what: str, name: StageName, place: Place) -> bool:
        if name in self._names:
            return True
        if self._names.complete:
            self._findings.error(Code.UNKNOWN_STAGE, f"{what} `{name}`, which is no stage", place, hint=self._names.hint(name))
        return False


def _env_edges(env: MappingOf[str, Variable]) -> list[Dependency]:
    return [
        Dependency(variable.source.stage, DependencyKind.ENV, variable.place)
        for variable in env.values()
        if isinstance(variable.source, StageValue)
    ]
