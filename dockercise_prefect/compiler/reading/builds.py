"""`build`: an image from a Dockerfile (LANGUAGE section 4)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from dockercise_prefect.compiler.reading.shapes import ANY, SPACE, Key, Schema, mapping_of, scalar
from dockercise_prefect.compiler.reading.values import Field, text, word
from dockercise_prefect.compiler.reading.variables import SECRETS_SCHEMA, Variable, Variables
from dockercise_prefect.compiler.spelling.key_checks import check_keys
from dockercise_prefect.compiler.spelling.suggest import StageNames
from dockercise_prefect.errors import Place
from dockercise_prefect.frontend.nodes import Mapping as MappingNode
from dockercise_prefect.frontend.nodes import Node, Scalar, is_null
from dockercise_prefect.pipeline import CODE, Build, BuildContext, Code, CodeSnapshot, StageVolume

_OUT = r"\.\.(?:/|$)"

_BLANK = f"[{SPACE}]*$"

_FOLDER = scalar(rf"(?!{_BLANK}|{_OUT}|/+$)[\s\S]+", "write a folder of the code, or one below the volume of a stage")

_FILE = scalar(rf"(?!{_BLANK}|/|{_OUT}|(?:\./*)+$)[\s\S]+", "write its path as seen from `context`")

KEYS: Mapping[str, Key] = {
    "context": Key(_FOLDER, "A folder of the code, `.` or `app`, or one below the volume of a stage, `/stage/app`."),
    "dockerfile": Key(_FILE, "The Dockerfile's path below `context`; by default `Dockerfile`."),
    "args": Key(
        {"type": "object", "additionalProperties": ANY},
        "Build arguments: names and strings. They stay in the image's history, so do not put secrets there.",
    ),
    "secrets": Key(
        SECRETS_SCHEMA,
        "Variables from outside and values of stages, only for `RUN --mount=type=secret,id=NAME` in the Dockerfile. "
        "Needs BuildKit.",
    ),
    "target": Key(word.schema, "The stage of the Dockerfile to stop at; by default the last one."),
}

SCHEMA: Schema = {"anyOf": [_FOLDER, mapping_of(KEYS, required={"context"})]}
"""What can be written in a `build`."""

_FORMS = "write a folder of the code, `.` or `app`, or one below the volume of a stage, `/stage/app`"


@dataclass(frozen=True, slots=True)
class PlacedBuild:
    """A build, the place of its context, and the variables that are its secrets."""

    build: Build
    place: Place
    secrets: Mapping[str, Variable]


_Folder: TypeAlias = tuple[BuildContext, str]


class Builds:
    """Reads `build`. There is one for a whole pipeline, because a context may be any stage's volume.

    Args:
        names: the names of all stages.
        variables: reads the secrets.
    """

    def __init__(self, names: StageNames, variables: Variables) -> None:
        self._names = names
        self._variables = variables

    def read(self, field: Field) -> PlacedBuild | None:
        """The build of a stage; None if it is wrong, which is then already reported."""
        parts = self._parts(field)
        if parts is None:
            return None
        context = _part(field, parts, "context")
        folder = self._folder(context) if "context" in parts else None
        dockerfile = self._dockerfile(_part(field, parts, "dockerfile")) if "dockerfile" in parts else "Dockerfile"
        target = word(_part(field, parts, "target")) if "target" in parts else None
        args = _args(_part(field, parts, "args")) if "args" in parts else {}
        secrets = self._variables.read_secrets(_part(field, parts, "secrets")) if "secrets" in parts else {}
        if "context" not in parts and parts.keys() <= KEYS.keys():  # otherwise, the unknown key probably stands for it
            field.wrong_value("`context` is missing", _FORMS)
        if folder is None or dockerfile is None:
            return None
        return PlacedBuild(Build(*folder, dockerfile, args, target, tuple(secrets)), context.place, secrets)

    def _parts(self, field: Field) -> dict[str, Node] | None:
        """The keys of the mapping form. A text alone is the context."""
        if isinstance(field.node, Scalar):
            return {"context": field.node}
        if not isinstance(field.node, MappingNode):
            field.wrong_type("a folder, or a mapping of `context`, `dockerfile`, `args`, `secrets` and `target`")
            return None
        check_keys(f"{field.owner}: build", field.node, KEYS, field.findings)
        return {key: value for key, value in field.node.by_key.items() if not is_null(value)}

    def _folder(self, field: Field) -> _Folder | None:
        written = text(field)
        if written is None:
            return None
        if not written.startswith("/"):
            return self._below(CodeSnapshot(), written, field)
        name, _, rest = written.lstrip("/").partition("/")
        if not name:
            field.wrong_value("`/` is not the folder of a stage", _FORMS)
            return None
        if name == CODE:
            return self._below(CodeSnapshot(), rest, field)
        if name in self._names:
            return self._below(StageVolume(name), rest, field)
        if self._names.complete:
            message = f"{field.owner} builds from the volume of `{name}`, which is not a stage"
            field.findings.error(Code.UNKNOWN_STAGE, message, field.place, hint=self._names.hint(name) or _FORMS)
        return None

    def _below(self, context: BuildContext, path: str, field: Field) -> _Folder | None:
        folder = _inside(path)
        if folder is None:
            field.wrong_value(f"`{path}` is outside the folder that is built", _FORMS)
            return None
        return context, folder

    def _dockerfile(self, field: Field) -> str | None:
        path = text(field)
        if path is None:
            return None
        inside = None if path.startswith("/") else _inside(path)
        if inside in {None, "."}:
            field.wrong_value(f"`{path}` is not a file below the context", "write its path as seen from `context`")
            return None
        return inside


def _part(field: Field, parts: dict[str, Node], key: str) -> Field:
    """A key of the mapping as its own field; the whole field if the key is missing."""
    owner = field.owner if parts.get(key) is field.node else f"{field.owner}: build"
    return Field(owner, field.key if parts.get(key) is field.node else key, parts.get(key, field.node), field.findings)


def _inside(path: str) -> str | None:
    """A relative path without `.` and `..`; None if it leads out of the folder."""
    normal = posixpath.normpath(path or ".")
    return None if normal == ".." or normal.startswith("../") else normal


def _args(field: Field) -> dict[str, str]:
    if not isinstance(field.node, MappingNode):
        field.wrong_type("a mapping of names to strings")
        return {}
    args: dict[str, str] = {}
    for key, value in field.node:
        if isinstance(value, Scalar) and value.kind != "null":
            args[key.text] = value.text
        else:
            one = Field(field.owner, f"args: {key.text}", value, field.findings)
            one.wrong_type("a string", "build arguments stay in the image's history, so they cannot be values of stages")
    return args
