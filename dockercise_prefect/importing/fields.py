"""Reads the keys of one mapping of another system, and notes each key that nobody asked for."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingOf

from dockercise_prefect.errors import DefinitionError
from dockercise_prefect.frontend.discover import MAX_BYTES
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar, Sequence, is_null
from dockercise_prefect.importing.notes import Notes
from dockercise_prefect.pipeline import Code

NO_COUNTERPART = "there is no such key here"


class Fields:
    """The keys of one mapping.

    A value of a wrong type counts as absent and gets a note. `leave_rest` notes the keys that were not read.
    """

    def __init__(self, node: Node | None, notes: Notes, prefix: str = "") -> None:
        """Take the mapping, where to note, and what to write before the names of keys in notes."""
        self.node = node
        self.notes = notes
        self._prefix = prefix
        self._by_key = node.by_text if isinstance(node, Mapping) else {}
        self._read: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._by_key and not is_null(self._by_key[key][1])

    def names(self) -> list[str]:
        """All keys, in the order written."""
        return list(self._by_key)

    def take(self, key: str) -> Node | None:
        """The value of a key; None if there is none, or if it is null."""
        self._read.add(key)
        entry = self._by_key.get(key)
        return None if entry is None or is_null(entry[1]) else entry[1]

    def text(self, key: str) -> str | None:
        """The text of a scalar."""
        node = self.take(key)
        if node is None or isinstance(node, Scalar):
            return None if node is None else node.text
        self._wrong(key, "a string", node)
        return None

    def is_true(self, key: str) -> bool:
        """Whether the value is `true`."""
        return (self.text(key) or "").lower() == "true"

    def texts(self, key: str) -> list[str]:
        """A text, or a list of texts, which may contain lists."""
        return [scalar.text for scalar in self.scalars(key)]

    def scalars(self, key: str) -> list[Scalar]:
        """As `texts`, with places."""
        node = self.take(key)
        found: list[Scalar] = []
        for each in flattened(node):
            if isinstance(each, Scalar):
                found.append(each)
            else:
                self._wrong(key, "a string or a list of strings", each)
        return found

    def mapping(self, key: str) -> Mapping | None:
        """A mapping."""
        node = self.take(key)
        if node is None or isinstance(node, Mapping):
            return node
        self._wrong(key, "a mapping", node)
        return None

    def mappings(self, key: str) -> list[Mapping]:
        """A mapping, or a list of mappings."""
        found: list[Mapping] = []
        for each in flattened(self.take(key)):
            if isinstance(each, Mapping):
                found.append(each)
            else:
                self._wrong(key, "a mapping or a list of mappings", each)
        return found

    def nodes(self, key: str) -> list[Node]:
        """The items of a list, or the single value."""
        return list(flattened(self.take(key)))

    def leave_rest(self, reasons: MappingOf[str, str], silent: frozenset[str] = frozenset()) -> None:
        """Note the keys that were not read.

        Args:
            reasons: what to write instead, by key.
            silent: keys without a meaning for what runs.
        """
        for key, (name, _) in self._by_key.items():
            if key not in self._read and key not in silent and not key.startswith(("x-", ".")):
                self.notes.left_out(f"{self._prefix}{key}", reasons.get(key, NO_COUNTERPART), name)

    def _wrong(self, key: str, wanted: str, node: Node) -> None:
        self.notes.left_out(f"{self._prefix}{key}", f"it should be {wanted}", node)


def flattened(node: Node | None) -> Iterator[Node]:
    """The items of a list and of the lists in it, without nulls; a value that is no list is the only item."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Sequence):
            waiting.extend(reversed(each.items))
        elif each is not None and not is_null(each):
            yield each


class Budget:
    """Bounds how much text the jobs of a file have together: a few lines with aliases can stand for gigabytes."""

    def __init__(self, findings: Findings) -> None:
        """Take where to report."""
        self._findings = findings
        self._left = MAX_BYTES

    def spend(self, characters: int, node: Node) -> None:
        """Count characters, or list items.

        Raises:
            DefinitionError: there are too many.
        """
        self._left -= characters
        if self._left < 0:
            message = f"the jobs of this file have more than {MAX_BYTES:,} characters together"
            self._findings.error(Code.TOO_BIG, message, node.place, hint="import a part of it")
            raise DefinitionError(self._findings.in_order())
