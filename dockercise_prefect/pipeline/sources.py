"""Where the parts of a stage come from: its variables, its mounts, its image, and what it builds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

StageName: TypeAlias = str
Mode: TypeAlias = Literal["ro", "rw"]

CODE: StageName = "code"
"""The name of the code itself in `on` and in `vol`; no stage may have this name."""

_FOLDED = re.compile(r"[^A-Z0-9_]")


def folded(stage: StageName) -> str:
    """The variable that holds a stage's value: `assume-role` gives `ASSUME_ROLE` (LANGUAGE section 3)."""
    return _FOLDED.sub("_", stage.upper())


@dataclass(frozen=True, slots=True)
class StageValue:
    """A variable whose value is what a stage printed."""

    stage: StageName


@dataclass(frozen=True, slots=True)
class StageValues:
    """A variable whose value is what several stages printed: their values in this order, one after another, as lines."""

    stages: tuple[StageName, ...]


@dataclass(frozen=True, slots=True)
class HostVariable:
    """A variable from outside (LANGUAGE section 3). It is looked up by its name in upper case, then by `name` as written."""

    name: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class LiteralValue:
    """A variable with a text that is written in the pipeline."""

    text: str


@dataclass(frozen=True, slots=True)
class ParameterValue:
    """A variable with the value of a parameter of the pipeline."""

    parameter: str


MEMORY_FOLDER = "/run/dockercise-secrets"
"""A folder in memory, in the containers of stages with secret files. It has their content."""


def is_secret_file(variable: str) -> bool:
    """Whether a variable from outside is a file in the container: then its name is an absolute path."""
    return variable.startswith("/")


EnvSource: TypeAlias = StageValue | StageValues | HostVariable | LiteralValue | ParameterValue


def stages_of(source: object) -> tuple[StageName, ...]:
    """The stages whose values a variable with this source takes, in order; none for a source of another kind."""
    match source:
        case StageValue(stage):
            return (stage,)
        case StageValues(stages):
            return stages
        case _:
            return ()


@dataclass(frozen=True, slots=True)
class StageVolume:
    """The sealed volume of a stage."""

    stage: StageName


@dataclass(frozen=True, slots=True)
class CodeSnapshot:
    """The run's snapshot of the code, or one folder of it. The folder is a path below the root; empty for all of the code."""

    folder: str = ""


@dataclass(frozen=True, slots=True)
class HostPath:
    """A folder of the engine's machine, or, if the path begins with `./`, a folder below the root."""

    path: str


@dataclass(frozen=True, slots=True)
class EngineVolume:
    """The engine's own volume with this name; it is kept after the run."""

    name: str


MountSource: TypeAlias = StageVolume | CodeSnapshot | HostPath | EngineVolume


@dataclass(frozen=True, slots=True)
class Mount:
    """Something that a stage finds at the absolute path `target`."""

    source: MountSource
    target: str
    mode: Mode = "ro"

    def at(self, target: str) -> Mount:
        """The same source at another path."""
        return Mount(self.source, target, self.mode)


@dataclass(frozen=True, slots=True)
class ImageReference:
    """An image in a registry or in the engine."""

    ref: str


@dataclass(frozen=True, slots=True)
class StageImage:
    """The image that a stage built or left behind."""

    stage: StageName


Image: TypeAlias = ImageReference | StageImage

BuildContext: TypeAlias = CodeSnapshot | StageVolume


@dataclass(frozen=True, slots=True)
class Build:
    """An image to build from a Dockerfile (LANGUAGE section 4).

    Attributes:
        context: the code or volume that holds the folder to build.
        folder: the folder below the context, without `..`; `.` is all of it.
        dockerfile: the Dockerfile's path below the folder.
        args: build arguments. They stay in the image's history, so they are texts and never values of stages.
        target: the stage of the Dockerfile to stop at; None builds the last one.
        secrets: names of the stage's variables that the build gets as secrets; they are not stored in the image or its history.
    """

    context: BuildContext
    folder: str = "."
    dockerfile: str = "Dockerfile"
    args: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    secrets: tuple[str, ...] = ()
