"""Reads one stage (LANGUAGE section 2)."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingOf
from typing import Any

from dockercise_prefect.compiler.drafts import Draft, build_edges, env_edges, image_edges, volume_edges
from dockercise_prefect.compiler.keys import LATER_IN_STAGES, OF_A_CONTAINER, OF_A_SCRIPT, STAGE, read_settings
from dockercise_prefect.compiler.meta import Meta
from dockercise_prefect.compiler.reading.builds import Builds, PlacedBuild
from dockercise_prefect.compiler.reading.each import read_each
from dockercise_prefect.compiler.reading.gates import read_gates
from dockercise_prefect.compiler.reading.mounts import Mounts
from dockercise_prefect.compiler.reading.names import stage_name_problem
from dockercise_prefect.compiler.reading.scripts import arguments, script
from dockercise_prefect.compiler.reading.secret_files import read_secret_files
from dockercise_prefect.compiler.reading.services import NOTHING, Services
from dockercise_prefect.compiler.reading.values import Field, Script, boolean, image, text, texts
from dockercise_prefect.compiler.reading.variables import NO_VARIABLES, Variable, Variables, with_axes
from dockercise_prefect.compiler.spelling.key_checks import check_keys
from dockercise_prefect.compiler.spelling.keys_of_other_tools import MEANS_AN_IMAGE, hint_for_key, hint_for_top_level
from dockercise_prefect.compiler.spelling.suggest import StageNames
from dockercise_prefect.compiler.spelling.words_of_conditions import hint_for_question
from dockercise_prefect.errors import Place, Related
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.merge import StageDefinition
from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar, is_null
from dockercise_prefect.pipeline import (
    CODE,
    Code,
    Dependency,
    DependencyKind,
    Image,
    Instance,
    StageImage,
    StageName,
)
from dockercise_prefect.pipeline.shells import is_posix_shell

_ORDERING = {kind.value: kind for kind in (DependencyKind.AFTER, DependencyKind.IF, DependencyKind.UNLESS)}
"""Keys that only name stages, and the edges that they make."""


class StageReader:
    """Reads the stages of one pipeline."""

    def __init__(self, meta: Meta, names: StageNames, variables: Variables, findings: Findings) -> None:
        self._meta = meta
        self._names = names
        self._variables = variables
        self._builds = Builds(names, variables)
        self._services = Services(names, variables)
        self._findings = findings

    def read(
        self,
        definition: StageDefinition,
        instance: Instance | None = None,
        axes: MappingOf[str, Variable] = NO_VARIABLES,
    ) -> Draft:
        """Check and read one stage. Wrong parts are left out of it.

        Args:
            definition: the stage; of an instance, with the name and the values of the instance.
            instance: which instance of a stage with `matrix` it is; None if it is not an instance.
            axes: the variables that the instance has because of its matrix.
        """
        name, place = definition.name, definition.key.place
        written_name = name if instance is None else instance.of
        problem = stage_name_problem(written_name) or stage_name_problem(name)
        if problem:
            why, hint = problem
            self._findings.error(Code.STAGE_NAME, why, place, hint=hint)
        by_key = self._keys(definition)
        fields = {
            key: Field(name, key, node, self._findings)
            for key, node in by_key.items()
            if node.__class__ is not Scalar or node.kind != "null"
        }
        img, build = self._image_or_build(name, by_key, fields)
        if MEANS_AN_IMAGE.isdisjoint(by_key):
            self._check_run(name, fields, has_image=img is not None, builds=build is not None)
        settings = {**self._meta.settings, **read_settings(name, by_key, self._findings), **read_gates(fields)}
        settings["image"] = None if img is None else self._image(name, img)
        if settings.get("entrypoint") is not None:
            self._check_entrypoint(name, fields)
        placed_build = self._builds.read(build) if build else None
        mounts = Mounts(written_name, fields["vol"], self._names).read() if "vol" in fields else []
        env = with_axes(name, self._env(name, fields, placed_build), axes, self._findings)
        if "secrets" in fields:
            env = {**env, **read_secret_files(written_name, fields["secrets"], self._variables, mounts)}
        starts_container = img is not None or (build is not None and "run" in fields)
        beside = NOTHING
        if "services" in fields and starts_container:
            beside = self._services.read(name, written_name, fields["services"], settings.get("network"))
            settings["services"] = beside.services
        edges = [
            *(edge for key in _ORDERING if key in fields for edge in self._later(name, key, fields[key])),
            *env_edges(env.values()),
            *build_edges(placed_build),
            *volume_edges(mounts),
            *(self._on(name, fields["on"]) if "on" in fields else ()),
            *image_edges(settings["image"], img),
            *beside.edges,
        ]
        members = read_each(fields["each"], self._names) if "each" in fields else None
        if members is not None:
            settings["each"] = members.each
            edges.append(members.edge)
        return Draft(
            name=name,
            place=place,
            run=self._run(fields["run"], settings) if "run" in fields else None,
            build=placed_build,
            env=env,
            mounts=mounts,
            on=self._origin(fields.get("on")),
            edges=edges,
            settings=settings,
            starts_container=starts_container,
            leaves_image=img is not None or build is not None,
            implicit=_is_script(settings) and self._implicit(fields.get("implicit")),
            dir_place=self._dir_place(by_key),
            cache_place=fields["cache"].place if "cache" in fields else None,
            instance=instance,
        )

    def _env(self, name: StageName, fields: MappingOf[str, Field], build: PlacedBuild | None) -> dict[str, Variable]:
        env = self._variables.read([fields["env"]]) if "env" in fields else {}
        return env if build is None else self._with_secrets(name, env, build.secrets)

    def _run(self, field: Field, settings: MappingOf[str, Any]) -> Script | None:
        return script(field) if settings.get("entrypoint") is None else arguments(field)

    def _check_entrypoint(self, name: StageName, fields: MappingOf[str, Field]) -> None:
        if "shell" in fields:
            self._findings.error(
                Code.TWO_PROGRAMS,
                f"{name}: `entrypoint` and `shell` both say which program gets `run`",
                fields["shell"].place,
                hint="remove one: a shell runs a script, and an entrypoint gets the words of `run` as arguments",
            )

    def _implicit(self, field: Field | None) -> bool:
        written = boolean(field) if field else None
        return self._meta.implicit if written is None else written

    def _dir_place(self, by_key: MappingOf[str, Node]) -> Place | None:
        node = by_key.get("dir", self._meta.written.get("dir"))
        return None if node is None or is_null(node) else node.place

    def _keys(self, definition: StageDefinition) -> MappingOf[str, Node]:
        body, name = definition.body, definition.name
        top_level = hint_for_top_level(name)
        if isinstance(body, Mapping):
            by_key = body.by_key
            if by_key.keys() <= STAGE.keys():
                return by_key
            if top_level is None or not by_key.keys().isdisjoint(STAGE):
                check_keys(name, body, STAGE, self._findings, later=LATER_IN_STAGES, hint_for=hint_for_key)
                return by_key
        elif is_null(body):
            return {}
        self._findings.error(
            Code.NOT_A_STAGE,
            f"{name}: a stage must be a mapping with keys such as `img` and `run`",
            definition.key.place if top_level else body.place,
            hint=top_level or "write `img: …` and `run: …` below the name, indented",
        )
        return {}

    def _image_or_build(
        self, name: StageName, by_key: MappingOf[str, Node], fields: MappingOf[str, Field]
    ) -> tuple[Field | None, Field | None]:
        """`img` and `build`, of which at most one is not None. The stage's own value replaces a default."""
        img, build = fields.get("img"), fields.get("build")
        if img is None and build is None:
            img, build = (
                Field("meta.defaults", key, self._meta.written[key], self._findings)
                if key in self._meta.written and key not in by_key
                else None
                for key in ("img", "build")
            )
        if img is not None and build is not None:
            self._findings.error(
                Code.IMAGE_AND_BUILD,
                f"{img.owner}: `img` names an image and `build` builds one",
                build.place,
                hint=f"keep one of the two; to build in one stage and run in another, write `img: {name}` there",
                related=[Related("the image is named here", img.place)],
            )
        return img, build

    def _image(self, name: StageName, field: Field) -> Image | None:
        """The image. The name of another stage means the image that it built or left (LANGUAGE section 4)."""
        written = field.node.text if isinstance(field.node, Scalar) else name
        if written == name or written not in self._names:
            return image(field)
        return StageImage(written)

    def _check_run(self, name: StageName, fields: MappingOf[str, Field], *, has_image: bool, builds: bool) -> None:
        if has_image and "shell" in fields and "run" not in fields:
            self._no_effect(name, fields["shell"], "there is no `run`", "add `run: …`")
        if has_image or (builds and "run" in fields) or not self._names.complete:
            return  # a file that could not be read may hold the missing default
        if "run" in fields:
            self._findings.error(
                Code.NOTHING_TO_RUN_IN,
                f"{name}: `run` has no image to run in",
                fields["run"].place,
                hint="add `img: …` or `build: …`",
            )
            return
        why, hint = (
            ("nothing is run in the image", "add `run: …`") if builds else ("the stage starts no container", "add `img: …`")
        )
        for key in fields.keys() & (OF_A_SCRIPT if builds else OF_A_CONTAINER):
            self._no_effect(name, fields[key], why, hint)

    def _no_effect(self, name: StageName, field: Field, why: str, hint: str) -> None:
        self._findings.warn(
            Code.NO_EFFECT,
            f"{name}: `{field.key}` has no effect, because {why}",
            field.place,
            hint=f"{hint}, or remove the key",
        )

    def _with_secrets(
        self, name: StageName, env: MappingOf[str, Variable], secrets: MappingOf[str, Variable]
    ) -> dict[str, Variable]:
        """The variables of a stage with its build's secrets. Different sources for one variable are an error (DK034)."""
        for variable, secret in secrets.items():
            if variable in env and env[variable].source != secret.source:
                self._findings.error(
                    Code.VARIABLE_TWICE,
                    f"{name}: `{variable}` has one source in `env` and another in the build's `secrets`",
                    secret.place,
                    hint="give one of them another name: `secrets: {OTHER: {stage: …}}`",
                    related=[Related("the variable is here", env[variable].place)],
                )
        return {**env, **{variable: secret for variable, secret in secrets.items() if variable not in env}}

    def _later(self, name: StageName, key: str, field: Field) -> Iterator[Dependency]:
        kind = _ORDERING[key]
        for earlier, place in texts(field):
            hint = hint_for_question(earlier) if kind.asks else None
            if earlier in self._names or self._is_stage(f"{name} {kind.phrase}", earlier, place, hint):
                yield Dependency(earlier, kind, place)

    def _on(self, name: StageName, field: Field) -> Iterator[Dependency]:
        origin = text(field)
        if origin is None or origin == CODE:
            return
        if self._is_stage(f"{name} works on the volume of", origin, field.place):
            yield Dependency(origin, DependencyKind.ON, field.place)

    def _origin(self, field: Field | None) -> StageName | None:
        """The stage whose volume this one starts from, or `CODE`; `_on` reports what is wrong with it."""
        node = field.node if field else None
        known = isinstance(node, Scalar) and (node.text == CODE or node.text in self._names)
        return node.text if known and isinstance(node, Scalar) else None

    def _is_stage(self, what: str, name: StageName, place: Place, hint: str | None = None) -> bool:
        if name in self._names:
            return True
        if self._names.complete:
            hint = hint or self._names.hint(name)
            self._findings.error(Code.UNKNOWN_STAGE, f"{what} `{name}`, which is not a stage", place, hint=hint)
        return False


def _is_script(settings: MappingOf[str, Any]) -> bool:
    """Whether `run` is a script in the language of `/bin/sh`."""
    return settings.get("entrypoint") is None and is_posix_shell(settings.get("shell") or ())


def report_missing_images(drafts: MappingOf[StageName, Draft], findings: Findings) -> None:
    """DK028: `img` names a stage that neither starts a container nor builds an image."""
    for draft in drafts.values():
        for edge in draft.edges:
            if edge.kind is DependencyKind.IMG and edge.stage in drafts and not drafts[edge.stage].leaves_image:
                findings.error(
                    Code.NO_IMAGE_LEFT,
                    f"{draft.name}: `img` names the stage `{edge.stage}`, which starts no container and leaves no image",
                    edge.place,
                    hint=f"to use the image of that name, write `docker.io/library/{edge.stage}`",
                    related=[Related("the stage is here", drafts[edge.stage].place)],
                )
