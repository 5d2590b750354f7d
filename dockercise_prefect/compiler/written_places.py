"""Where that is written in the YAML of a stage which makes a difference to an earlier attempt."""

from __future__ import annotations

from collections.abc import Iterator

from dockercise_prefect.errors import Place
from dockercise_prefect.frontend.merge import MergedDocument
from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar, Sequence
from dockercise_prefect.pipeline import CODE, DependencyKind, Stage, folded
from dockercise_prefect.reuse.difference import Difference, DifferenceKind

_KEYS = {
    DifferenceKind.SALT: "cache",
    DifferenceKind.ALSO: "cache",
    DifferenceKind.IMAGE: "img",
    DifferenceKind.SERVICE: "services",
}
"""The key of a stage that belongs to a difference."""


class WrittenPlaces:
    """The places of one stage.

    Args:
        document: the merged content of all files.
        stage: the stage.
    """

    def __init__(self, document: MergedDocument, stage: Stage) -> None:
        self._document = document
        self._stage = stage
        body = next((one.body for one in document.stages if one.name == stage.written_name), None)
        self._body = body if isinstance(body, Mapping) else None

    def of(self, difference: Difference) -> Place | None:
        """The place of a difference; None if nothing is written for it, for example because it is not written any more."""
        name = difference.name
        match difference.kind:
            case DifferenceKind.VARIABLE:
                place = self._variable(name)
            case DifferenceKind.CODE:
                place = self._code(name)
            case DifferenceKind.OUTPUT:
                place = self._edge(name)
            case DifferenceKind.VOLUME:
                place = self._edge(name, DependencyKind.VOL, DependencyKind.ON)
            case DifferenceKind.KEY:
                place = self._stage.place if name == "name" else self._key(name)
            case kind:
                place = self._key(_KEYS[kind])
        return place

    def _key(self, name: str) -> Place | None:
        """Where the stage has the key; otherwise, where `meta` has it for all stages."""
        if self._body is not None and name in self._body.by_text:
            return self._body.by_text[name][0].place
        _, defaults = self._document.meta.get("defaults", (None, None))
        if isinstance(defaults, Mapping) and name in defaults.by_text:
            return defaults.by_text[name][0].place
        return self._document.meta[name][0].place if name in self._document.meta and name != "name" else None

    def _variable(self, name: str) -> Place | None:
        own = [self._body.by_text["env"][1]] if self._body is not None and "env" in self._body.by_text else []
        for node in (*own, *self._document.meta_env):
            for scalar in _entries(node):
                variable = scalar.text.partition("=")[0].removesuffix("?")
                if name in {variable, variable.upper(), folded(variable)}:
                    return scalar.place
        edges = (
            edge.place for edge in self._stage.depends_on if edge.kind is DependencyKind.ENV and folded(edge.stage) == name
        )
        return next(edges, None)

    def _code(self, folder: str) -> Place | None:
        mounted = f"{CODE}/{folder}" if folder else CODE
        for key in ("vol", "on"):
            if self._body is not None and key in self._body.by_text:
                for scalar in _entries(self._body.by_text[key][1]):
                    if scalar.text.partition(":")[0].rstrip("/") == mounted:
                        return scalar.place
        return self._key("vol")

    def _edge(self, stage: str, *kinds: DependencyKind) -> Place | None:
        edges = (edge.place for edge in self._stage.depends_on if edge.stage == stage and (not kinds or edge.kind in kinds))
        return next(edges, None)


def _entries(node: Node) -> Iterator[Scalar]:
    """The entries of a list or the keys of a mapping; a single text is a list of one."""
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Sequence):
        yield from (item for item in node.items if isinstance(item, Scalar))
    else:
        yield from (key for key, _ in node)
