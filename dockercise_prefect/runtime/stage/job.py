"""One attempt at a stage, as values: what it needs, and what it leaves (docs/adr/0028).

Both can be written as JSON and read back, and both are small, whatever a stage prints. Neither has a value of a variable, a
lock, a client or a file. So one process can make a job, another can run it, and a third can ask for its result.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, TypeVar

from pydantic import ConfigDict, PlainValidator, TypeAdapter

from dockercise_prefect.pipeline import (
    HostVariable,
    LiteralValue,
    ParameterValue,
    Stage,
    StageName,
    StageValue,
    StageValues,
    stage_from_json,
    stage_to_json,
)
from dockercise_prefect.pipeline.services import Readiness
from dockercise_prefect.runtime.cleanup.labels import RunIdentity
from dockercise_prefect.runtime.copying.copies import OverlayPlan
from dockercise_prefect.runtime.engine import ContainerMount, ResolvedImage
from dockercise_prefect.runtime.stage.confinement import Confinement
from dockercise_prefect.status import StageStatus

_STRICT = ConfigDict(extra="forbid")
"""Another version of dockercise may write fields that this version does not know. Such JSON is refused."""


@dataclass(frozen=True, slots=True)
class WrittenText:
    """A variable whose text is written in the pipeline."""

    written: Literal[True] = True


VariableSource: TypeAlias = StageValue | StageValues | HostVariable | WrittenText
"""Where a variable comes from: what stages printed, outside, or the pipeline."""


@dataclass(frozen=True, slots=True)
class Stdout:
    """What an attempt printed on stdout.

    Attributes:
        size: bytes.
        digest: of the bytes, `sha256:…`; None if they are sensitive: the digest of a short secret reveals the secret.
        file: the file of the run's record that has the bytes; None if the record may not have them.
        volume: the volume on the run's engine that has the bytes instead; None if nobody needs them.
        reused_from: the earlier run that printed them, for a stage that is reused. They are found by their digest.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    size: int
    digest: str | None
    file: str | None = None
    volume: str | None = None
    reused_from: str | None = None


@dataclass(frozen=True, slots=True)
class OwnVolume:
    """The volume that an attempt could write to. Nothing writes to it after the attempt has ended.

    Attributes:
        name: of the volume on the engine; empty for a stage that is reused.
        written: whether anything ran that has perhaps written to it.
        digest: of its content (docs/digests.md); None until the volume was read.
        file: the file of the run's record that has its content; None if the record does not have it.
        base: the stage whose file has the content that both volumes have in common; None if `file` has all of it.
        reused_from: the earlier run that wrote it, for a stage that is reused. Its content is found by its digest.
        changes: the volume that has what the attempt changed, if the volume is a copy by an overlay; None for any other volume.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    written: bool
    digest: str | None = None
    file: str | None = None
    base: StageName | None = None
    reused_from: str | None = None
    changes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """The result of an attempt: how it ended, and where its output and files are.

    Attributes:
        attempt: the number of the attempt, from 1 on.
        exit_code: None if there was no container, or if its exit code cannot be known.
        message: how it ended, with a short first line; None for a stage that simply passed.
        out_of_memory: whether it failed because it ran out of memory.
        started: in UTC, like `finished`.
        image: the image that it ran in, or built; None if it did not get that far, or has no image.
        made_image: the image that it built, or left for other stages to run in.
        stdout: None if the attempt was lost before anything knew what it printed.
        volume: None if the attempt has no volume.
        container: a container that has ended, through which the volume is read. It must still be removed. None if there is no
            container.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    stage: StageName
    attempt: int
    status: StageStatus
    exit_code: int | None
    message: str | None
    started: datetime
    finished: datetime
    out_of_memory: bool = False
    image: ResolvedImage | None = None
    made_image: ResolvedImage | None = None
    stdout: Stdout | None = None
    volume: OwnVolume | None = None
    container: str | None = None

    @property
    def image_digest(self) -> str | None:
        """The digest of the image that it ran in."""
        return None if self.image is None else self.image.digest

    @property
    def is_at_rest(self) -> bool:
        """Whether an overlay can copy its volume: the volume is not an overlay itself, and nothing writes to it any more.

        When the first process of a container ends, all its other processes end too.
        """
        if self.volume is None or self.volume.reused_from is not None:
            return True
        return self.volume.changes is None and (self.exit_code is not None or not self.volume.written)

    def to_json(self) -> str:
        """As JSON, which `from_json` parses."""
        return _written(self)

    @classmethod
    def from_json(cls, text: str) -> JobResult:
        """Parse the result of `to_json`.

        Raises:
            ValueError: the text is not such JSON.
        """
        return _read(_results(), text)


def _stage(data: Any) -> Stage:
    stage = stage_from_json(data["name"], data)
    if data != json.loads(_written(stage)):
        raise ValueError("the stage has fields that are not known")
    return stage


_Stage = Annotated[Stage, PlainValidator(_stage)]

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceJob:
    """A service of an attempt.

    Attributes:
        stage: the service in the form of a stage, without its variables.
        ready: when it is ready.
        variables: where each of its variables comes from.
        mounts: everything that its container mounts.
        network: of its container, in the form of `engine.ContainerSpec`.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    stage: _Stage
    ready: Readiness
    variables: Mapping[str, VariableSource]
    image: ResolvedImage
    mounts: tuple[ContainerMount, ...] = ()
    network: str = "none"

    def __post_init__(self) -> None:
        _refuse_texts(self.stage)

    @property
    def aliases(self) -> tuple[str, ...]:
        """Its names in the network. A container that joins the network of another one has those of the other one."""
        return () if self.network.startswith(JOINED) else (self.name,)


JOINED = "container:"
"""How the network of another container begins, in the form of `engine.ContainerSpec`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Everything that one attempt at a stage needs.

    Attributes:
        run: the run of the stage.
        owner: the process that owns everything that the attempt makes, for its labels.
        stage: without its variables and its services.
        attempt: the number of the attempt, from 1 on.
        variables: where each of the stage's variables comes from. The texts come from `ports.Texts`.
        inputs: what the stages that it needs left.
        image: the image that it runs in; None if it builds its own, or has none.
        helper: the id of any image on the engine, for containers that are never started; None for a stage that needs none.
        mounts: everything that its container mounts, except its own volume.
        origin: the volume whose copy is the beginning of its own volume; None if its own volume begins empty.
        overlay: how `origin` can be copied by an overlay; None if all bytes have to be copied.
        context: the volume with what it builds; None for a stage that does not build.
        network: of its container, in the form of `engine.ContainerSpec`. `aliases`: its names there.
        services: the containers beside its own.
        keeps_image: whether other stages run in what it leaves in its container.
        aws: whether it gets variables that say where its copy of the user's AWS folder is.
        git: whether it gets variables that let git read the code, whoever runs it.
        secrets: variables that are never stored, by their folded names.
        confinement: its limits.
        answers: whether its exit code is an answer for another stage (`if`, `unless`).
        is_seen: whether another stage mounts, copies or builds what it leaves in its own volume, perhaps in a later run.

    Raises:
        ValueError: the stage has variables, or services, which have some. A job must not contain their texts.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    run: RunIdentity
    owner: str
    stage: _Stage
    attempt: int = 1
    variables: Mapping[str, VariableSource] = field(default_factory=dict)
    inputs: Mapping[StageName, JobResult] = field(default_factory=dict)
    image: ResolvedImage | None = None
    helper: str | None = None
    mounts: tuple[ContainerMount, ...] = ()
    origin: str | None = None
    overlay: OverlayPlan | None = None
    context: str | None = None
    network: str = "none"
    aliases: tuple[str, ...] = ()
    services: tuple[ServiceJob, ...] = ()
    keeps_image: bool = False
    aws: bool = False
    git: bool = False
    secrets: tuple[str, ...] = ()
    confinement: Confinement = field(default_factory=Confinement)
    answers: bool = False
    is_seen: bool = True

    def __post_init__(self) -> None:
        _refuse_texts(self.stage)

    def to_json(self) -> str:
        """As JSON, which `from_json` parses."""
        return _written(self)

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Parse the result of `to_json`.

        Raises:
            ValueError: the text is not such JSON.
        """
        return _read(_jobs(), text)


def _refuse_texts(stage: Stage) -> None:
    if stage.env or stage.services:
        raise ValueError(f"the job of {stage.name} contains texts of variables")


def variable_sources(stage: Stage) -> Mapping[str, VariableSource]:
    """Where each variable of a stage comes from, without any text."""
    return {
        name: WrittenText() if isinstance(source, LiteralValue | ParameterValue) else source
        for name, source in stage.env.items()
    }


def _read(adapter: TypeAdapter[Read], text: str) -> Read:
    try:
        return adapter.validate_python(json.loads(text))
    except (KeyError, TypeError) as error:  # of a stage's own reader
        raise ValueError(f"this is not from this version of dockercise ({error})") from error


# They are made when they are needed: that takes time, and most runs only write.
@cache
def _results() -> TypeAdapter[JobResult]:
    return TypeAdapter(JobResult)


@cache
def _jobs() -> TypeAdapter[Job]:
    return TypeAdapter(Job)


def _written(value: object) -> str:
    # Names and scripts may hold bytes that are not UTF-8, as half surrogate pairs: JSON has escapes for them.
    return json.dumps(_plain(value), ensure_ascii=True)


def _plain(value: object) -> object:
    is_plain = value is None or isinstance(value, str | int | float)  # most values are
    return value if is_plain else _taken_apart(value)


def _taken_apart(value: object) -> object:
    match value:
        case Stage():
            return {"name": value.name, **stage_to_json(value)}
        case Mapping():
            return {name: _plain(item) for name, item in value.items()}
        case tuple() | list():
            return [_plain(item) for item in value]
        case datetime() | IPv4Network() | IPv6Network():
            return str(value)
        case _ if is_dataclass(value):
            return {name: _plain(getattr(value, name)) for name in _names(value.__class__)}
        case _:
            return value


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind))
