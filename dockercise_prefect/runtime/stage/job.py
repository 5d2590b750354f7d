"""One attempt at a stage, as values: what it is made of, and what it leaves (docs/adr/0028).

Both are JSON both ways and small, whatever a stage prints. Neither holds a value of a variable, a lock, a client or a file: the
process that made a job need not be the one that runs it, nor the one that asks what became of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal, TypeAlias, TypeVar

from pydantic import PlainValidator, TypeAdapter

from dockercise_prefect.pipeline import HostVariable, Stage, StageName, StageValue, stage_from_json, stage_to_json
from dockercise_prefect.runtime.cleanup.labels import RunIdentity
from dockercise_prefect.runtime.engine import ContainerMount, ResolvedImage
from dockercise_prefect.runtime.stage.confinement import Confinement
from dockercise_prefect.status import StageStatus


@dataclass(frozen=True, slots=True)
class WrittenText:
    """A variable whose text is written in the pipeline."""

    written: Literal[True] = True


VariableSource: TypeAlias = StageValue | HostVariable | WrittenText
"""Where a variable comes from: from what a stage printed, from outside, or from the pipeline."""


@dataclass(frozen=True, slots=True)
class Stdout:
    """What an attempt printed on stdout.

    Attributes:
        size: bytes.
        digest: `sha256:…` of them.
        file: the file of the run's record that holds them; None where the record may not have them.
        volume: the volume on the run's engine that holds them instead; None where nobody needs them.
    """

    size: int
    digest: str
    file: str | None = None
    volume: str | None = None


@dataclass(frozen=True, slots=True)
class OwnVolume:
    """The volume that an attempt could write to; sealed once the attempt has ended.

    Attributes:
        name: on the run's engine.
        written: whether something ran that could write to it.
    """

    name: str
    written: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """What an attempt left: how it ended, and where the rest is.

    Attributes:
        attempt: which one it was, from 1 on.
        exit_code: None when there was no container or its code is not to be learnt.
        message: how it ended, its first line short; None for a stage that simply passed.
        started: in UTC, as `finished`.
        image: that it ran in, or built; None when it never got so far, or has none.
        made_image: what it built or left for others to run in.
        stdout: None where the attempt got lost before anybody could say what it printed.
        volume: None where it has none.
        container: that has ended, and through which the volume is read; still to be removed. None where there is none.
    """

    stage: StageName
    attempt: int
    status: StageStatus
    exit_code: int | None
    message: str | None
    started: datetime
    finished: datetime
    image: ResolvedImage | None = None
    made_image: ResolvedImage | None = None
    stdout: Stdout | None = None
    volume: OwnVolume | None = None
    container: str | None = None

    @property
    def image_digest(self) -> str | None:
        """The digest of the image that it ran in."""
        return None if self.image is None else self.image.digest

    def to_json(self) -> str:
        """As a JSON text; `from_json` reads it back."""
        return _written(self)

    @classmethod
    def from_json(cls, text: str) -> JobResult:
        """Read back what `to_json` gave.

        Raises:
            ValueError: it is of another making.
        """
        return _read(_RESULTS, text)


_Stage = Annotated[Stage, PlainValidator(lambda data: stage_from_json(data["name"], data))]

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one attempt at a stage is made of.

    Attributes:
        run: whose stage it is.
        owner: the process that whatever the attempt makes belongs to, for its labels.
        stage: without its variables.
        attempt: from 1 on.
        variables: where each of the stage's variables comes from; the texts come from `ports.Texts`.
        inputs: what the stages left that it needs.
        image: that it runs in; None when it builds its own, or has none.
        helper: the id of any image on the engine, for containers that are never started; None for a stage that needs none.
        mounts: everything that its container mounts but its own volume.
        origin: the volume that its own starts as a copy of, None for an empty one.
        context: the volume that holds what it builds, None for a stage that builds nothing.
        network: of its container, as `engine.ContainerSpec` has it.
        keeps_image: others run in what it leaves in its container.
        aws: it is told where its copy of the user's AWS folder is.
        secrets: variables that are stored nowhere, by their folded names.
        confinement: what it is held to.
    """

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
    context: str | None = None
    network: str = "none"
    keeps_image: bool = False
    aws: bool = False
    secrets: tuple[str, ...] = ()
    confinement: Confinement = field(default_factory=Confinement)

    def to_json(self) -> str:
        """As a JSON text; `from_json` reads it back."""
        return _written(self)

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Read back what `to_json` gave.

        Raises:
            ValueError: it is of another making.
        """
        return _read(_JOBS, text)


def variable_sources(stage: Stage) -> Mapping[str, VariableSource]:
    """Where each variable of a stage comes from, without any text."""
    return {
        name: source if isinstance(source, StageValue | HostVariable) else WrittenText() for name, source in stage.env.items()
    }


_RESULTS = TypeAdapter(JobResult)
_JOBS = TypeAdapter(Job)


def _read(adapter: TypeAdapter[Read], text: str) -> Read:
    try:
        return adapter.validate_python(json.loads(text))
    except (KeyError, TypeError) as error:  # of a stage's own reader
        raise ValueError(f"not what was written ({error})") from error


def _written(value: object) -> str:
    # Names and scripts may hold bytes that are not UTF-8, as half surrogate pairs: JSON has escapes for them.
    return json.dumps(_plain(value), ensure_ascii=True)


def _plain(value: object) -> object:
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
            return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
        case _:
            return value
