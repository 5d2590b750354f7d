"""Composed YAML nodes to ours: `<<` resolved, keys checked, aliases shared and their growth bounded."""

from __future__ import annotations

import yaml

from dockercise_prefect.errors import Place, Related
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar, ScalarKind, Sequence
from dockercise_prefect.pipeline import Code

MAX_NODES = 1_000_000
"""Values in one file, each counted as often as aliases and merges repeat it."""

_GREW = f"it holds more than {MAX_NODES:,} values when its aliases are followed"

_PREFIX = "tag:yaml.org,2002:"
_MERGE = _PREFIX + "merge"

KINDS: dict[str, ScalarKind] = {
    _PREFIX + "str": "text",
    "!": "text",
    _PREFIX + "null": "null",
    _PREFIX + "bool": "bool",
    _PREFIX + "int": "number",
    _PREFIX + "float": "number",
    _MERGE: "text",
}
"""What a scalar with a tag of YAML's own is."""


class TooBigError(Exception):
    """The document passes a bound; the text says which."""


class Converter:
    """Converts the nodes of one file."""

    def __init__(self, path: str, findings: Findings) -> None:
        self._path = path
        self._findings = findings
        self._done: dict[int, tuple[Node, int]] = {}
        self._open: set[int] = set()

    def convert(self, root: yaml.Node) -> Node:
        """The node and all below it.

        Raises:
            TooBigError: aliases and merges make more than `MAX_NODES` of it.
        """
        return self._convert(root)[0]

    def _convert(self, node: yaml.Node) -> tuple[Node, int]:
        known = self._done.get(id(node))
        if known is not None:
            return known
        place = self._place(node)
        if id(node) in self._open:
            self._findings.error(Code.TOO_BIG, "this contains itself, by its own alias", place, hint="take the alias away")
            return Scalar(place, "", "null"), 1
        self._open.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            converted: Node = self._scalar(node, place)
            size = 1
        elif isinstance(node, yaml.MappingNode):
            converted, size = self._mapping(node, place)
        else:
            converted, size = self._sequence(node, place)
        self._open.discard(id(node))
        if size > MAX_NODES:
            raise TooBigError(_GREW)
        self._done[id(node)] = converted, size
        return converted, size

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Scalar:
        kind = KINDS.get(node.tag)
        if kind is None:
            self._refuse_tag(node, place)
        if "\0" in node.value:
            self._findings.error(Code.NOT_PLAIN, "neither a script nor a variable can hold a NUL character", place)
        return Scalar(place, node.value, kind or "text")

    def _sequence(self, node: yaml.Node, place: Place) -> tuple[Sequence, int]:
        if node.tag != _PREFIX + "seq":
            self._refuse_tag(node, place)
        size = 1
        items = []
        for child in node.value:
            item, item_size = self._convert(child)
            items.append(item)
            size += item_size
        return Sequence(place, tuple(items)), size

    def _mapping(self, node: yaml.MappingNode, place: Place) -> tuple[Mapping, int]:
        if node.tag != _PREFIX + "map":
            self._refuse_tag(node, place)
        size = 1
        own: dict[str, tuple[Scalar, Node]] = {}
        merged: dict[str, tuple[Scalar, Node]] = {}
        merge_key: Scalar | None = None
        for key_node, value_node in node.value:
            key, value, value_size = self._entry(key_node, value_node)
            size += 1 + value_size
            if size > MAX_NODES:
                raise TooBigError(_GREW)
            if key is None:
                continue
            is_merge = key_node.tag == _MERGE
            first = merge_key if is_merge else own.get(key.text, (None,))[0]
            if first is not None:
                self._twice(key, first, outermost=len(self._open) == 1)
            elif is_merge:
                merge_key = key
                self._merge(value, merged)
            else:
                own[key.text] = key, value
        return Mapping(place, tuple({**merged, **own}.values())), size

    def _entry(self, key_node: yaml.Node, value_node: yaml.Node) -> tuple[Scalar | None, Node, int]:
        value, size = self._convert(value_node)
        if isinstance(key_node, yaml.ScalarNode):
            return self._scalar(key_node, self._place(key_node)), value, size
        self._findings.error(
            Code.NOT_PLAIN,
            "a key is a text, and this is a list or a mapping",
            self._place(key_node),
            hint="a text that begins with `{`, `[` or `?` needs quotes",
        )
        return None, value, size

    def _merge(self, value: Node, merged: dict[str, tuple[Scalar, Node]]) -> None:
        """Take over what is not there yet: of several merged mappings the first to have a key gives it."""
        for mapping in value.items if isinstance(value, Sequence) else (value,):
            if isinstance(mapping, Mapping):
                for key, inherited in mapping:
                    merged.setdefault(key.text, (key, inherited))
            else:
                self._findings.error(
                    Code.BAD_MERGE, "`<<` merges mappings, and this is none", mapping.place, hint="write `<<: *name-of-anchor`"
                )

    def _twice(self, key: Scalar, first: Scalar, *, outermost: bool) -> None:
        if outermost and is_stage_name(key.text):
            report_stage_twice(key, first, self._findings)
            return
        self._findings.error(
            Code.KEY_TWICE,
            f"the key `{key.text}` stands twice in one mapping",
            key.place,
            hint="keep one of the two; several values are a list",
            related=[Related("it stands here first", first.place)],
        )

    def _refuse_tag(self, node: yaml.Node, place: Place) -> None:
        self._findings.error(Code.NOT_PLAIN, f"tags are not understood, and this has the tag `{node.tag}`", place,
                             hint="quote a text that begins with `!`, or take the tag away")  # fmt: skip

    def _place(self, node: yaml.Node) -> Place:
        mark = node.start_mark
        return Place(self._path, mark.line + 1, mark.column + 1)


def is_stage_name(key: str) -> bool:
    """Whether a top-level key is a stage: not `meta`, and no holder of anchors (`x-…`, `.…`)."""
    return key != "meta" and not key.startswith(("x-", "."))


def report_stage_twice(later: Scalar, first: Scalar, findings: Findings) -> None:
    """DK010: a stage stands in two files, or twice in one; neither wins silently."""
    findings.error(
        Code.STAGE_TWICE,
        f"the stage `{later.text}` is defined twice",
        later.place,
        hint="rename one of the two, or take it away",
        related=[Related("it is defined here first", first.place)],
    )
