"""`services`: containers beside a stage."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from dockercise_prefect.compiler.reading import mounts, names, variables
from dockercise_prefect.compiler.reading.lifecycle import parts_of
from dockercise_prefect.compiler.reading.mounts import Mounts, PlacedMount
from dockercise_prefect.compiler.reading.scripts import script
from dockercise_prefect.compiler.reading.shapes import Key, Schema, key_names, mapping_of, matcher, or_expanded, scalar
from dockercise_prefect.compiler.reading.values import Field, duration, image, processors, size, word
from dockercise_prefect.compiler.reading.variables import Variable, Variables
from dockercise_prefect.compiler.spelling.keys_of_other_tools import hint_for_key
from dockercise_prefect.compiler.spelling.suggest import StageNames
from dockercise_prefect.frontend.nodes import Mapping as MappingNode
from dockercise_prefect.frontend.nodes import Scalar
from dockercise_prefect.frontend.nodes import Sequence as List
from dockercise_prefect.pipeline import (
    IMAGE_SOURCE,
    Code,
    Dependency,
    DependencyKind,
    Image,
    Network,
    Readiness,
    Service,
    StageImage,
    StageName,
    StageVolume,
)
from dockercise_prefect.pipeline.services import READY_SECONDS
from dockercise_prefect.pipeline.sources import stages_of

_NAME_SOURCE = r"(?!localhost$)[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_NAME = matcher(_NAME_SOURCE)
"""What is a host name for every program: RFC 1123, section 2.1, with `_`, which the names of Docker's own tools have."""

_NAMES = "write lower-case letters, digits, `-` and `_`, at most 63: it is a host name"

_READY_KEYS = {
    "run": Key(script.schema, "A script that is run in the service until it ends with exit code 0."),
    "timeout": Key(duration.schema, "How long the service may take to get ready; by default `60s`."),
}

_IMAGE: Schema = scalar(rf"{IMAGE_SOURCE}|{names.NAME_SOURCE}", "write a stage, or name, name:tag or registry/name:tag")

_KEYS = {
    "img": Key(or_expanded(_IMAGE), "An image, or a stage whose image is used."),
    "run": Key(script.schema, "A shell script instead of the image's own entrypoint and command."),
    "env": Key(variables.SCHEMA, "Variables, as in a stage."),
    "vol": Key(mounts.SCHEMA, "Mounts, as in a stage."),
    "ready": Key(
        {"anyOf": [*script.schema["anyOf"], mapping_of(_READY_KEYS)]},
        "A script that succeeds when the service is ready, or `{run, timeout}`; by default the health check of the image.",
    ),
    "user": Key(or_expanded(word.schema), "As in `docker run`: a name, `1000` or `1000:100`."),
    "memory": Key(or_expanded(size.schema), "`512m`, `2g`; at least `6m`."),
    "cpus": Key(or_expanded(processors.schema), "How many processors, at least 0.01."),
}

SCHEMA: Schema = {
    "type": "object",
    "propertyNames": key_names(_NAME_SOURCE, "write lower-case letters, digits, - and _, at most 63"),
    "additionalProperties": {"anyOf": [or_expanded(_IMAGE), mapping_of(_KEYS, required=["img"])]},
}
"""What can be written in `services`."""

_FORMS = "write a mapping of names to images: `services: {db: 'postgres:17'}`"


@dataclass(frozen=True, slots=True)
class Beside:
    """The services of a stage, and the edges that they give it."""

    services: tuple[Service, ...]
    edges: tuple[Dependency, ...]


NOTHING = Beside((), ())


@dataclass(frozen=True, slots=True)
class Services:
    """Reads `services`. There is one for a whole pipeline, because a service may use what any stage leaves.

    Attributes:
        stages: the names of all stages.
        variables: reads variables.
    """

    stages: StageNames
    variables: Variables

    def read(self, stage: StageName, written_name: StageName, field: Field, network: Network | None) -> Beside:
        """The services of a stage that starts a container. Wrong ones are left out.

        Args:
            stage: the name of the stage.
            written_name: the same without the key of an instance. Services reach the stage by it.
            field: the key.
            network: the network of the stage, if one is written.
        """
        if not isinstance(field.node, MappingNode):
            field.wrong_type("a mapping of names to services", _FORMS)
            return NOTHING
        if network not in {None, Network.BRIDGE}:
            field.findings.error(
                Code.SERVICES_WITHOUT_NETWORK,
                f"{stage}: the stage cannot reach its services with `network: {network}`",
                field.place,
                hint="remove `network`: a stage with services has a network that only they are on",
            )
        named = [(key, field.at(node)) for key, node in field.node if self._is_name(stage, written_name, key, field)]
        found = [self._one(stage, written_name, key, service) for key, service in named]
        read = [each for each in found if each is not None]
        edges = (edge for each in read for edge in each.edges)
        return Beside(tuple(service for each in read for service in each.services), tuple(edges))

    def _is_name(self, stage: StageName, written_name: StageName, key: Scalar, field: Field) -> bool:
        name = key.text
        if not _NAME.match(name):
            self._refuse(stage, key, field, f"`{name}` cannot be the name of a service", _NAMES)
            return False
        if name == written_name:
            why = f"a service cannot have the name of its stage, `{name}`"
            self._refuse(stage, key, field, why, "choose another name: the service reaches the stage by that one")
            return False
        if (log := f"{stage}.{name}") in self.stages:
            why = f"the log of the service `{name}` would have the name of the stage {self.stages.named(log)}"
            self._refuse(stage, key, field, why, "choose another name for one of them")
            return False
        return True

    def _refuse(self, stage: StageName, key: Scalar, field: Field, why: str, hint: str) -> None:
        field.findings.error(Code.SERVICE_NAME, f"{stage}: {why}", key.place, hint=hint)

    def _one(self, stage: StageName, written_name: StageName, key: Scalar, field: Field) -> Beside | None:
        owner = f"{stage}.{key.text}"
        parts = self._parts(owner, key, field)
        if parts is None:
            return None
        found = self._image(written_name, parts["img"]) if "img" in parts else None
        if "img" not in parts and not self._has_another_key(field):  # which probably stands for it, and is reported
            hint = f"write `{key.text}: IMAGE`, or `img: …`"
            field.findings.error(Code.WRONG_VALUE, f"{owner}: `img` is missing", key.place, hint=hint)
        env = self.variables.read([parts["env"]]) if "env" in parts else {}
        placed = Mounts(owner, parts["vol"], self.stages).read() if "vol" in parts else []
        ready = _ready(parts["ready"]) if "ready" in parts else Readiness()
        lines = script(parts["run"]) if "run" in parts else None
        user = word(parts["user"]) if "user" in parts else None
        memory = size(parts["memory"]) if "memory" in parts else None
        cpus = processors(parts["cpus"]) if "cpus" in parts else None
        if found is None:
            return None
        service = Service(
            name=key.text,
            image=found,
            run=None if lines is None else lines.text,
            env={name: variable.source for name, variable in env.items()},
            mounts=tuple(each.mount for each in placed),
            ready=ready,
            user=user,
            cpus=cpus,
            memory=memory,
            place=key.place,
        )
        return Beside((service,), tuple(_edges(found, parts["img"], env.values(), placed)))

    def _parts(self, owner: str, key: Scalar, field: Field) -> dict[str, Field] | None:
        """The keys of a service. A text alone is its image."""
        if isinstance(field.node, Scalar) and field.node.kind != "null":
            return {"img": Field(owner, "img", field.node, field.findings)}
        named = Field(field.owner, f"services: {key.text}", field.node, field.findings)
        parts = parts_of(named, _KEYS, "an image, or a mapping of `img`, `run`, `env` and others", hint_for_key)
        if parts is None:
            return None
        return {name: Field(owner, name, part.node, part.findings) for name, part in parts.items()}

    def _has_another_key(self, field: Field) -> bool:
        return isinstance(field.node, MappingNode) and not field.node.by_key.keys() <= _KEYS.keys()

    def _image(self, stage: StageName, field: Field) -> Image | None:
        """The image. The name of another stage means the image that it built or left."""
        written = field.node.text if isinstance(field.node, Scalar) else stage
        return StageImage(written) if written != stage and written in self.stages else image(field)


def _ready(field: Field) -> Readiness:
    """A script, or a mapping of `run` and `timeout`. A wrong value counts as not written."""
    if isinstance(field.node, Scalar | List):
        parts: dict[str, Field] | None = {"run": field}
    else:
        parts = parts_of(field, _READY_KEYS, "a script, or a mapping of `run` and `timeout`")
    parts = parts or {}
    lines = script(parts["run"]) if "run" in parts else None
    seconds = duration(parts["timeout"]) if "timeout" in parts else None
    return Readiness(None if lines is None else lines.text, READY_SECONDS if seconds is None else seconds)


def _edges(found: Image, written: Field, env: Iterable[Variable], placed: Collection[PlacedMount]) -> Iterator[Dependency]:
    for variable in env:
        yield from (Dependency(stage, DependencyKind.ENV, variable.place) for stage in stages_of(variable.source))
    for each in placed:
        if isinstance(each.mount.source, StageVolume):
            yield Dependency(each.mount.source.stage, DependencyKind.VOL, each.place)
    if isinstance(found, StageImage):
        yield Dependency(found.stage, DependencyKind.IMG, written.place, inferred=True)
