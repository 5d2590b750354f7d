"""The content of a YAML file, independent of the YAML library: scalars, sequences and mappings with their places.

There may be hundreds of thousands of nodes, so their classes are simple. Nodes are never changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from dockercise_prefect.errors import Place

ScalarKind: TypeAlias = Literal["text", "null", "bool", "number"]


class Mark(Protocol):
    """A position in a text as the YAML reader gives it, counted from 0."""

    @property
    def line(self) -> int:
        """The number of lines above."""

    @property
    def column(self) -> int:
        """The number of characters to the left."""


@dataclass(frozen=True, slots=True)
class Position:
    """A position that does not come from the YAML reader."""

    line: int
    column: int

    @classmethod
    def end_of(cls, text: str) -> Position:
        """The position after the last character of a text, with line ends as in YAML."""
        lines = re.split(r"\r\n|\r|\n", text)
        return cls(len(lines) - 1, len(lines[-1]))


class _Placed:
    """Something written in a file; its place is computed on demand, because most places are never used."""

    __slots__ = ()
    path: str
    mark: Mark

    @property
    def place(self) -> Place:
        """The place where it is written."""
        mark = self.mark
        return Place(self.path, mark.line + 1, mark.column + 1)


@dataclass(slots=True)
class Scalar(_Placed):
    """A single value: `text` is the source text (`1.10` stays `1.10`), and `kind` is its kind in YAML 1.2."""

    path: str
    mark: Mark
    text: str
    kind: ScalarKind = "text"


@dataclass(slots=True)
class Sequence(_Placed):
    """A list."""

    path: str
    mark: Mark
    items: tuple[Node, ...]


@dataclass(slots=True)
class Mapping(_Placed):
    """Keys and values in the order written, by the text of their keys. `<<` is resolved, and no key occurs twice."""

    path: str
    mark: Mark
    by_text: dict[str, tuple[Scalar, Node]]

    @property
    def entries(self) -> tuple[tuple[Scalar, Node], ...]:
        """The keys and values."""
        return tuple(self.by_text.values())

    @property
    def by_key(self) -> dict[str, Node]:
        """The values by the text of their keys."""
        return {text: value for text, (_, value) in self.by_text.items()}

    def __iter__(self) -> Iterator[tuple[Scalar, Node]]:
        return iter(self.by_text.values())


Node: TypeAlias = Scalar | Sequence | Mapping


def is_null(node: Node | None) -> bool:
    """Whether nothing was written: the key alone, `~` or `null`."""
    return node is None or (isinstance(node, Scalar) and node.kind == "null")
