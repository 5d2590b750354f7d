"""Converts the events of the YAML reader to nodes: resolves `<<`, checks keys, shares aliases and limits their growth.

The reader's own composer is not used. It makes its own node for every event, which would then be replaced by another one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from yaml.composer import ComposerError
from yaml.events import AliasEvent, MappingEndEvent, MappingStartEvent, ScalarEvent, SequenceEndEvent, StreamEndEvent

from dockercise_prefect.errors import Related
from dockercise_prefect.frontend.core_schema import SPECIAL, kind_of_plain, kind_of_tag
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Mapping, Node, Position, Scalar, Sequence
from dockercise_prefect.pipeline import Code

MAX_DEPTH = 64
"""The deepest nesting that is allowed; nobody nests deeper by hand."""

MAX_NODES = 1_000_000
"""The most values in one file. Each value counts as often as aliases and merges repeat it."""

_Event: TypeAlias = Any
"""One of `yaml.events`. Its class decides which attributes it has, and the type stubs do not say this."""

_TAGS = "tag:yaml.org,2002:"
_MERGE = _TAGS + "merge"
_OF_SEQUENCES = frozenset({None, _TAGS + "seq"})
_OF_MAPPINGS = frozenset({None, _TAGS + "map"})

_BARE_TAG = "!"
"""YAML reads it as a tag and drops it. In a shell it means "not", and in a list of globs it means "exclude"."""

_LOOKS_LIKE_INDENTATION = frozenset("\xa0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000")
"""Spaces that are not spaces for YAML. A key that they seem to indent is a key that begins with them."""

_LONGEST_QUOTED = 60
"""The most characters of a text that a hint repeats."""


class TooBigError(Exception):
    """The document exceeds a limit; the text of the error says which."""


@dataclass(slots=True)
class _Anchored:
    """The node that an anchor stands for (None while it is being read), and the number of values below it."""

    mark: Any
    node: Node | None = None
    size: int = 0


class Converter:
    """Converts the events of one file."""

    def __init__(self, path: str, text: str, take: Callable[[], _Event], findings: Findings) -> None:
        """Take the file's path and text, and a function that returns the next event in it."""
        self._path = path
        self._text = text
        self._take = take
        self._findings = findings
        self._anchors: dict[str, _Anchored] = {}
        self._size = 0

    def document(self) -> Node | None:
        """The file's document; None if the file is empty. A second document is reported (DK004) and not read.

        Raises:
            TooBigError: the document is nested too deep, or aliases and merges make it too big.
            yaml.MarkedYAMLError: the text is not YAML.
        """
        self._take()
        if self._take().__class__ is StreamEndEvent:
            return None
        root = self._node(self._take(), 1)
        self._take()
        second = self._take()
        if second.__class__ is not StreamEndEvent:
            self._findings.error(
                Code.SECOND_DOCUMENT,
                "a second document begins here, but a file can contain only one",
                Scalar(self._path, second.start_mark, "").place,
                hint="move it to its own file, or remove the `---`",
            )
        return root

    def _node(self, event: _Event, depth: int) -> Node:
        if event.__class__ is ScalarEvent:
            return self._scalar(event)
        if event.__class__ is AliasEvent:
            return self._alias(event)
        if depth > MAX_DEPTH:
            raise TooBigError(f"it is nested more than {MAX_DEPTH} levels deep")
        read = self._mapping if event.__class__ is MappingStartEvent else self._sequence
        if event.anchor is None:
            return read(event, depth)
        anchored = self._anchor(event)
        before = self._size
        node = anchored.node = read(event, depth)
        anchored.size = self._size - before
        return node

    def _scalar(self, event: _Event) -> Scalar:
        text = event.value
        if event.implicit[0] and event.tag is None:  # a plain scalar
            scalar = Scalar(self._path, event.start_mark, text)
            if not text:
                scalar = self._nothing(event.start_mark)
            elif text[0] in SPECIAL:
                scalar.kind = kind_of_plain(text)
        else:
            scalar = self._quoted_or_tagged(event)
        if event.anchor is not None:
            self._anchor(event).node = scalar
        return scalar

    def _nothing(self, mark: Any) -> Scalar:
        """A missing value. If it is at the end of the file, the reader places it on a line below the last one."""
        at_end = mark.index >= len(self._text)
        return Scalar(self._path, Position.end_of(self._text) if at_end else mark, "", "null")

    def _quoted_or_tagged(self, event: _Event) -> Scalar:
        kind = kind_of_tag(event.tag)
        scalar = Scalar(self._path, event.start_mark, event.value, kind or "text")
        if kind is None:
            self._refuse_tag(event, scalar)
        if "\0" in scalar.text:
            self._findings.error(Code.NOT_PLAIN, "neither a script nor a variable can contain a NUL character", scalar.place)
        return scalar

    def _sequence(self, event: _Event, depth: int) -> Sequence:
        items: list[Node] = []
        take = self._take
        for _ in range(MAX_NODES):
            item: _Event = take()
            if item.__class__ is SequenceEndEvent:
                break
            mark = item.start_mark
            node = self._node(item, depth + 1)
            if isinstance(node, Sequence) and item.__class__ is AliasEvent:  # findings about it are reported here
                node = Sequence(self._path, mark, node.items)
            items.append(node)
        self._grow(len(items))
        sequence = Sequence(self._path, event.start_mark, tuple(items))
        if event.tag not in _OF_SEQUENCES:
            self._refuse_tag(event, sequence)
        return sequence

    def _mapping(self, start: _Event, depth: int) -> Mapping:
        entries: dict[str, tuple[Scalar, Node]] = {}
        merged: dict[str, tuple[Scalar, Node]] = {}
        merge_key: Scalar | None = None
        take = self._take
        pairs = 0
        for pairs in range(MAX_NODES):  # noqa: B007  the count is used below
            key_event = take()
            if key_event.__class__ is MappingEndEvent:
                break
            key = self._scalar(key_event) if key_event.__class__ is ScalarEvent else self._node(key_event, depth + 1)
            event = take()
            value = self._scalar(event) if event.__class__ is ScalarEvent else self._node(event, depth + 1)
            if not isinstance(key, Scalar):
                self._refuse_key(key)
                continue
            text = key.text
            if text[:1] in _LOOKS_LIKE_INDENTATION and key_event.implicit[0]:
                raise ComposerError(None, None, f"found a no-break space (U+{ord(text[0]):04X})", key_event.start_mark)
            if text == "<<" and (key_event.implicit[0] or key_event.tag == _MERGE):
                if merge_key is not None:
                    self._twice(key, merge_key, outermost=False)
                else:
                    merge_key = key
                    self._merge(value, merged)
            elif text in entries:
                self._twice(key, entries[text][0], outermost=depth == 1)
            else:
                entries[text] = key, value
        self._grow(2 * pairs)
        mapping = Mapping(self._path, start.start_mark, {**merged, **entries} if merged else entries)
        if start.tag not in _OF_MAPPINGS:
            self._refuse_tag(start, mapping)
        return mapping

    def _anchor(self, event: _Event) -> _Anchored:
        known = self._anchors.get(event.anchor)
        if known is not None:
            first = "found duplicate anchor; first occurrence"
            raise ComposerError(first, known.mark, "second occurrence", event.start_mark)
        anchored = self._anchors[event.anchor] = _Anchored(event.start_mark)
        return anchored

    def _alias(self, event: _Event) -> Node:
        anchored = self._anchors.get(event.anchor)
        if anchored is None:
            raise ComposerError(None, None, "found undefined alias", event.start_mark)
        if anchored.node is not None:
            self._grow(anchored.size)
            return anchored.node
        nothing = Scalar(self._path, anchored.mark, "", "null")
        message = "this contains itself, through its own alias"
        self._findings.error(Code.TOO_BIG, message, nothing.place, hint="remove the alias")
        return nothing

    def _grow(self, values: int) -> None:
        self._size += values
        if self._size >= MAX_NODES:
            raise TooBigError(f"it contains more than {MAX_NODES:,} values when its aliases are followed")

    def _merge(self, value: Node, merged: dict[str, tuple[Scalar, Node]]) -> None:
        """Take over the keys that do not exist yet. If several merged mappings have a key, the first one wins."""
        for mapping in value.items if isinstance(value, Sequence) else (value,):
            if isinstance(mapping, Mapping):
                for text, entry in mapping.by_text.items():
                    merged.setdefault(text, entry)
            else:
                self._findings.error(
                    Code.BAD_MERGE,
                    "`<<` merges mappings, but this is not one",
                    mapping.place,
                    hint="write `<<: *name-of-anchor`",
                )

    def _twice(self, key: Scalar, first: Scalar, *, outermost: bool) -> None:
        if outermost and is_stage_name(key.text):
            report_stage_twice(key, first, self._findings)
            return
        self._findings.error(
            Code.KEY_TWICE,
            f"the key `{key.text}` appears twice in one mapping",
            key.place,
            hint="keep one of them; write several values as a list",
            related=[Related("it appears here first", first.place)],
        )

    def _refuse_key(self, key: Node) -> None:
        self._findings.error(
            Code.NOT_PLAIN,
            "a key must be a string, but this is a list or a mapping",
            key.place,
            hint="a string that begins with `{`, `[` or `?` needs quotes; if this is a template, render it first",
        )

    def _refuse_tag(self, event: _Event, node: Node) -> None:
        if event.tag == _BARE_TAG:
            self._findings.error(Code.NOT_PLAIN, "YAML reads this `!` as a tag and drops it", node.place,
                                 hint=_quoted_hint(node))  # fmt: skip
            return
        is_text = isinstance(node, Scalar) and not node.text and event.tag.isprintable() and len(event.tag) <= _LONGEST_QUOTED
        hint = (
            f"quote it if it is a string: `'{event.tag}'`"
            if is_text
            else "quote a string that begins with `!`, or remove the tag"
        )
        self._findings.error(
            Code.NOT_PLAIN, f"YAML tags are not supported, and this has the tag `{event.tag}`", node.place, hint=hint
        )


def _quoted_hint(node: Node) -> str:
    """How to write the text after a bare `!` so that the `!` is kept."""
    if isinstance(node, Scalar) and node.text and len(node.text) <= _LONGEST_QUOTED and node.text.isprintable():
        return "quote the whole string: `'! {}'`".format(node.text.replace("'", "''"))
    return "quote the whole string, or write it as a block below `|`; if you do not want the `!`, remove it"


def is_stage_name(key: str) -> bool:
    """Whether a top-level key is a stage: not `meta`, and not a key that only holds anchors (`x-…`, `.…`)."""
    return key != "meta" and not key.startswith(("x-", "."))


def report_stage_twice(later: Scalar, first: Scalar, findings: Findings) -> None:
    """DK010: a stage is defined in two files, or twice in one file. Neither definition wins silently."""
    findings.error(
        Code.STAGE_TWICE,
        f"the stage `{later.text}` is defined twice",
        later.place,
        hint="rename or remove one of them",
        related=[Related("it is defined here first", first.place)],
    )
