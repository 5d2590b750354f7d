"""Reads nodes as typed values: durations, sizes, images, paths. If a value is wrong, its reader reports it and returns None."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Generic, TypeGuard, TypeVar

from dockercise_prefect.compiler.reading.shapes import ANY, SPACE, TEXT, Schema, matcher, one_or_many, scalar, whole
from dockercise_prefect.compiler.spelling.suggest import suggestion
from dockercise_prefect.errors import Place
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar
from dockercise_prefect.frontend.nodes import Sequence as List
from dockercise_prefect.pipeline import IMAGE_SOURCE, Code, ImageReference, image_name_problem
from dockercise_prefect.quantities import (
    DURATION,
    MIN_CPUS,
    MIN_DURATION,
    MIN_MEMORY,
    NUMBER,
    SIZE,
    bytes_of,
    processors_of,
    seconds_of,
)

MAX_NUMBER = 10**9
"""Numbers of processors, and of each unit of a duration, must be below this."""

MAX_BYTES = 10**12
"""Numbers of each unit of a size must be below this."""

_WORD = rf"[^{SPACE}]+"

_WHOLE_WORD = matcher(_WORD)

Choice = TypeVar("Choice", bound=StrEnum)
Value = TypeVar("Value")


@dataclass(slots=True)
class Field:
    """A value that is being read, with the owner of its key and the findings. It is as simple as the nodes, and as frequent."""

    owner: str
    key: str
    node: Node
    findings: Findings

    @property
    def place(self) -> Place:
        """The place of the value."""
        return self.node.place

    def at(self, node: Node) -> Field:
        """The same key, for one item of its list."""
        return Field(self.owner, self.key, node, self.findings)

    def wrong_type(self, wanted: str, hint: str | None = None) -> None:
        """Report DK023."""
        given = {List: "a list", Mapping: "a mapping"}.get(type(self.node), "something else")
        if isinstance(self.node, Scalar):
            given = "empty" if self.node.kind == "null" else f"`{self.node.text}`"
        self.findings.error(
            Code.WRONG_TYPE, f"{self.owner}: `{self.key}` must be {wanted}, but this is {given}", self.place, hint=hint
        )

    def wrong_value(self, why: str, hint: str | None = None) -> None:
        """Report DK024."""
        self.findings.error(Code.WRONG_VALUE, f"{self.owner}: `{self.key}`: {why}", self.place, hint=hint)


@dataclass(frozen=True, slots=True)
class Reader(Generic[Value]):
    """How a value is read, together with its schema, so that the parser and the JSON schema stay the same."""

    schema: Schema
    read: Callable[[Field], Value]

    def __call__(self, field: Field) -> Value:
        """The value, or None if it is wrong, which is then already reported."""
        return self.read(field)


def reads(schema: Schema) -> Callable[[Callable[[Field], Value]], Reader[Value]]:
    """Turn a function into a reader of the values that the schema describes."""
    return lambda read: Reader(schema, read)


@reads(TEXT)
def text(field: Field) -> str | None:
    """The source text of any scalar: `user: 1000` is the text `1000`."""
    if not isinstance(field.node, Scalar) or field.node.kind == "null":
        field.wrong_type("a string")
        return None
    if not field.node.text.strip():
        field.wrong_value("this is empty", "remove the key")
        return None
    return field.node.text


@reads(one_or_many(ANY))
def texts(field: Field) -> list[tuple[str, Place]]:
    """The texts of a text or of a list of texts, each with its place. Wrong items are left out."""
    return [(item.text, item.place) for item in scalars(field)]


def scalars(field: Field) -> list[Scalar]:
    """The scalars of a text or of a list of texts, as written. Wrong items are left out."""
    node = field.node
    if isinstance(node, List):
        return [item for item in node.items if _is_text(item, field)]
    return [node] if _is_text(node, field) else []


def _is_text(item: Node, field: Field) -> TypeGuard[Scalar]:
    if isinstance(item, Scalar) and item.kind != "null":
        return True
    field.at(item).wrong_type("a string, or a list of strings", _hint_for_item(item, field.key))
    return False


def _hint_for_item(item: Node, key: str) -> str | None:
    """What was probably meant by an item that is not a text."""
    if key == "env":
        return "write `NAME=text` in a list"
    if isinstance(item, List):
        brackets = "; to begin a string with `[`, quote all of it" if key == "run" else ""
        return f"lists cannot be nested, and an alias of a list is a list too: write the items one by one{brackets}"
    if isinstance(item, Mapping):
        return "YAML reads a string that contains `: `, or begins with `{`, as a mapping: quote it, or use a block, `|`"
    return None


@dataclass(frozen=True, slots=True)
class Script:
    """A shell script, and the texts that it consists of, each with its place."""

    parts: tuple[tuple[str, Place], ...]

    @property
    def text(self) -> str:
        """The text for the shell; each item of a list is on its own line."""
        return "\n".join(part for part, _ in self.parts)


@reads(scalar(_WORD, "this contains white space"))
def word(field: Field) -> str | None:
    """A text without white space."""
    value = text(field)
    if value is not None and not _WHOLE_WORD.match(value):
        field.wrong_value(f"`{value}` contains white space")
        return None
    return value


@reads({"type": "boolean"})
def boolean(field: Field) -> bool | None:
    """`true` or `false`, as YAML 1.2 writes them."""
    if isinstance(field.node, Scalar) and field.node.kind == "bool":
        return field.node.text.lower() == "true"
    field.wrong_type("`true` or `false`", "`yes`, `on` and quoted words are strings in YAML 1.2")
    return None


@reads(whole(rf"(?!$){DURATION}", "write hours, minutes and seconds as 1h30m, 5m, 90s"))
def duration(field: Field) -> float | None:
    """`90s`, `5m`, `1h30m`; in seconds."""
    value = text(field)
    if value is None:
        return None
    seconds = seconds_of(value)
    if seconds is None:
        hint = f"write `{value}s`" if value.isdecimal() else "write hours, minutes and seconds as `1h30m`, `5m`, `90s`"
        field.wrong_value(f"`{value}` is not a duration", hint)
        return None
    return _above(field, seconds, MIN_DURATION, "it must be longer than zero")


@reads(
    {
        **whole(SIZE, "write 512m or 2g"),
        "type": ["string", "number"],
        "minimum": MIN_MEMORY,
        "exclusiveMaximum": MAX_BYTES,
    }
)
def size(field: Field) -> int | None:
    """`512m`, as `docker run --memory` takes it; in bytes."""
    value = text(field)
    if value is None:
        return None
    size_in_bytes = bytes_of(value)
    if size_in_bytes is None:
        field.wrong_value(f"`{value}` is not a size", "write `512m` or `2g`")
        return None
    if size_in_bytes < MIN_MEMORY:
        number = value.rstrip("iIbB").rstrip()
        meant = f"; did you mean `{number}m`?" if number[-1].isdecimal() else ""
        field.wrong_value(f"`{value}` is {size_in_bytes:,} bytes", f"Docker needs at least 6m{meant}")
        return None
    return size_in_bytes


@reads(
    {
        **whole(NUMBER, "write 0.5 or 2"),
        "type": ["string", "number"],
        "minimum": MIN_CPUS,
        "exclusiveMaximum": MAX_NUMBER,
    }
)
def processors(field: Field) -> float | None:
    """A number of processors, for example `0.5`."""
    value = text(field)
    if value is None:
        return None
    number = processors_of(value)
    if number is None:
        field.wrong_value(f"`{value}` is not a number of processors", "write `0.5` or `2`")
        return None
    return _above(field, number, MIN_CPUS, f"Docker needs at least {MIN_CPUS}")


def _above(field: Field, number: float, least: float, hint: str) -> float | None:
    if number < least:
        field.wrong_value("this is too small", hint)
        return None
    return number


def one_of(choices: type[Choice]) -> Reader[Choice | None]:
    """A reader for one of a few words."""
    words = [choice.value for choice in choices]

    @reads({"type": "string", "enum": words})
    def read(field: Field) -> Choice | None:
        value = text(field)
        if value is None or value in words:
            return None if value is None else choices(value)
        field.wrong_value(f"`{value}` is not an allowed value", suggestion(value, words))
        return None

    return read


@lru_cache(maxsize=1024)
def _problem_of_image(text: str) -> tuple[str, str] | None:
    """`image_name_problem`, cached, because most stages of a pipeline name the same few images."""
    return image_name_problem(text)


@reads({**scalar(IMAGE_SOURCE, "write name, name:tag or registry/name:tag"), "minimum": 0})
def image(field: Field) -> ImageReference | None:
    """An image reference, checked against its grammar."""
    value = text(field)
    if value is None:
        return None
    problem = _problem_of_image(value)
    if problem:
        why, hint = problem
        field.wrong_value(
            why,
            "only parameters, and variables of the stage's `matrix`, are expanded here; write all else in full"
            if "$" in value
            else hint,
        )
        return None
    return ImageReference(value)


@reads({"type": "string", "pattern": "^/", "patternErrorMessage": "a path in the container begins with /"})
def absolute_path(field: Field) -> str | None:
    """A path in the container."""
    value = text(field)
    if value is None:
        return None
    if not value.startswith("/"):
        hint = f"write `/{value.removeprefix('./')}`"
        if value.startswith(("$", "~")):
            hint = "only parameters, and variables of the stage's `matrix`, are expanded here; use `cd` in the script"
        field.wrong_value(f"`{value}` is not an absolute path", hint)
        return None
    return normal_path(value)


def normal_path(path: str) -> str:
    """An absolute path without `.`, `..` and doubled slashes."""
    return posixpath.normpath("/" + path.lstrip("/"))


@reads(one_or_many(TEXT))
def globs(field: Field) -> Sequence[str]:
    """A pattern, or a list of them."""
    from dockercise_prefect.compiler.triggers import MAX_PATTERNS, globs_problem  # noqa: PLC0415  only pipelines with triggers need pathspec

    found = texts(field)
    patterns = tuple(pattern for pattern, _ in found)
    for pattern, place in found:
        if not pattern.strip():
            field.findings.error(Code.WRONG_VALUE, f"{field.owner}: `{field.key}`: this is empty", place)
    problem = globs_problem(patterns)
    if problem:
        alone = [(place, why) for pattern, place in found[:MAX_PATTERNS] if (why := globs_problem((pattern,)))]
        for place, why in alone or [(field.place, problem)]:
            field.findings.error(Code.WRONG_VALUE, f"{field.owner}: `{field.key}`: {why}", place)
    return patterns
