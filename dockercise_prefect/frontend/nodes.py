"""What a YAML file says, without YAML: scalars, sequences and mappings that know where they stand.

They are made by the hundred thousand, so they are plain; nobody changes one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from dockercise_prefect.errors import Place

ScalarKind: TypeAlias = Literal["text", "null", "bool", "number"]


@dataclass(slots=True)
class Scalar:
    """A single value: `text` is the source text (`1.10` stays `1.10`), `kind` what YAML 1.2 takes it for."""

    place: Place
    text: str
    kind: ScalarKind = "text"


@dataclass(slots=True)
class Sequence:
    """A list."""

    place: Place
    items: tuple[Node, ...]


@dataclass(slots=True)
class Mapping:
    """Keys and values in the order written; `<<` is resolved and no key stands twice."""

    place: Place
    entries: tuple[tuple[Scalar, Node], ...]

    @property
    def by_key(self) -> dict[str, Node]:
        """The values by the text of their keys."""
        return {key.text: value for key, value in self.entries}

    def __iter__(self) -> Iterator[tuple[Scalar, Node]]:
        return iter(self.entries)


Node: TypeAlias = Scalar | Sequence | Mapping


def is_null(node: Node | None) -> bool:
    """Whether nothing was written: the key alone, `~` or `null`."""
    return node is None or (isinstance(node, Scalar) and node.kind == "null")
