"""`matrix`: the combinations of values for which a stage runs (LANGUAGE-2 section 9)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from dockercise_prefect.compiler.reading.names import IDENTIFIER, IDENTIFIER_SOURCE, is_ours
from dockercise_prefect.compiler.reading.shapes import ANY, Schema, one_or_many
from dockercise_prefect.compiler.reading.values import Field, scalars
from dockercise_prefect.compiler.spelling.suggest import suggestion
from dockercise_prefect.errors import Related, did_you_mean
from dockercise_prefect.frontend.nodes import Mapping as MappingNode
from dockercise_prefect.frontend.nodes import Node, Scalar, is_null
from dockercise_prefect.frontend.nodes import Sequence as List
from dockercise_prefect.pipeline import Code

MAX_COMBINATIONS = 256
"""The most instances of a stage, and the most entries of `include` and of `exclude`."""

MAX_VARIABLES = 32
"""The most variables of a matrix, and of each entry of `include` and `exclude`."""

_COMPARISONS = 2_000
"""The most comparisons of further variables in `include` with those of the matrix, to find misspelt ones."""

_INCLUDE = "include"
_EXCLUDE = "exclude"

_ENTRIES: Schema = {
    "type": "array",
    "items": {"type": "object", "patternProperties": {f"^{IDENTIFIER_SOURCE}$": ANY}, "additionalProperties": False},
}

SCHEMA: Schema = {
    "type": "object",
    "properties": {_INCLUDE: _ENTRIES, _EXCLUDE: _ENTRIES},
    "patternProperties": {f"^(?!(?:{_INCLUDE}|{_EXCLUDE})$){IDENTIFIER_SOURCE}$": one_or_many(ANY)},
    "additionalProperties": False,
}
"""What can be written in a `matrix`."""

_FORM = "write a mapping of variables to lists, such as `matrix: {python: [3.11, 3.12], db: [pg, mysql]}`"


@dataclass(slots=True)
class Combination:
    """One combination of values, by the names of the variables.

    For speed, it is not frozen, like the nodes; it is changed only while it is read.

    Attributes:
        axes: the value of each axis, in the order written.
        more: what `include` adds to it.
    """

    axes: Mapping[str, Scalar]
    more: Mapping[str, Scalar]

    def has(self, values: Mapping[str, Scalar]) -> bool:
        """Whether none of these values of axes is another one here."""
        return all(name not in values or values[name].text == value.text for name, value in self.axes.items())


def read_matrix(field: Field) -> Sequence[Combination] | None:
    """The combinations in the order written: those of the axes, and then those that `include` adds.

    `exclude` takes combinations of the axes away. Then each entry of `include` that has further variables completes the
    combinations that are left and that it fits. An entry that completes none adds a combination.

    Returns:
        The combinations, at least one; None if the matrix is wrong, which is then already reported.
    """
    if not isinstance(field.node, MappingNode):
        field.wrong_type("a mapping", _FORM)
        return None
    reader = _Reader(field)
    found = reader.read(field.node)
    return None if reader.failed else found


class _Reader:
    """Reads one matrix. `failed` says whether anything in it is wrong."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._comparisons = _COMPARISONS
        self.failed = False

    def read(self, node: MappingNode) -> Sequence[Combination]:
        axes = self._axes(node)
        excluded, included = (self._entries(node, key) for key in (_EXCLUDE, _INCLUDE))
        self._check_known(axes, excluded)
        if len(axes) > MAX_VARIABLES:
            self._report_too_many(len(axes), "variables", MAX_VARIABLES, self._field)
        if not axes and included:
            axes = dict.fromkeys(included[0][1], ())
        if self.failed:
            return ()
        if not axes:
            self._error(Code.WRONG_COUNT, "`matrix` has no variable", self._field, _FORM)
        if math.prod(map(len, axes.values())) > MAX_COMBINATIONS:
            self._report_too_many(math.prod(map(len, axes.values())), "combinations", MAX_COMBINATIONS, self._field)
            return ()
        found = [Combination(dict(zip(axes, values, strict=True)), {}) for values in product(*axes.values())]
        found = self._without(excluded, found)
        found += self._included(included, list(axes), found)
        if len(found) > MAX_COMBINATIONS:
            self._report_too_many(len(found), "combinations", MAX_COMBINATIONS, self._field)
        elif not found and not self.failed:
            hint = "remove an entry of `exclude`"
            self._error(Code.WRONG_COUNT, "`exclude` takes away every combination of the matrix", self._field, hint)
        return found

    def _axes(self, node: MappingNode) -> dict[str, Sequence[Scalar]]:
        axes: dict[str, Sequence[Scalar]] = {}
        keys: dict[str, Scalar] = {}
        for key, value in node:
            if key.text in {_INCLUDE, _EXCLUDE}:
                continue
            name = self._variable(key, keys)
            values = [] if name is None or is_null(value) else scalars(self._named(key, value))
            if name is None:
                continue
            if not values or (isinstance(value, List) and len(values) < len(value.items)):
                self.failed = True
                if is_null(value) or not (isinstance(value, List) and value.items):
                    hint = "write a list of values, or remove it"
                    self._error(Code.WRONG_COUNT, f"`{key.text}` of the matrix has no value", self._field.at(key), hint)
            axes[name] = values
        return axes

    def _named(self, key: Scalar, value: Node) -> Field:
        return Field(self._field.owner, f"matrix: {key.text}", value, self._field.findings)

    def _variable(self, key: Scalar, known: dict[str, Scalar]) -> str | None:
        """The variable of a key: its name in upper case, as in `env`."""
        name = key.text.upper()
        place = self._field.at(key)
        if not IDENTIFIER.match(key.text):
            hint = "names of variables contain only letters, digits and `_`"
            self._error(Code.VARIABLE_NAME, f"`{key.text}` is not a valid variable name", place, hint)
            return None
        if is_ours(name):
            hint = "choose another name"
            self._error(Code.VARIABLE_TAKEN, f"`{name}` is set by dockercise in every stage", place, hint)
            return None
        first = known.setdefault(name, key)
        if first is not key:
            related = Related("the first is here", first.place)
            self._error(
                Code.AXIS_TAKEN,
                f"two variables of the matrix are `{name}`",
                place,
                "remove one of the two, or rename it",
                related,
            )
            return None
        return name

    def _entries(self, node: MappingNode, key: str) -> list[tuple[Field, dict[str, Scalar]]]:
        """The entries of `include` or `exclude`."""
        written = node.by_key.get(key)
        if written is None or is_null(written):
            return []
        entries: list[tuple[Field, dict[str, Scalar]]] = []
        items = written.items if isinstance(written, List) else (written,)
        if len(items) > MAX_COMBINATIONS:
            self._report_too_many(len(items), f"entries of `{key}`", MAX_COMBINATIONS, self._field.at(written))
            return entries
        for item in items:
            field = Field(self._field.owner, f"matrix: {key}", item, self._field.findings)
            if isinstance(written, List) and isinstance(item, MappingNode) and not item.by_text:
                self.failed = True
                field.wrong_value("the entry names no variable", f"write `{key}: [{{python: 3.12, db: pg}}]`")
                continue
            if not isinstance(written, List) or not isinstance(item, MappingNode):
                self.failed = True
                field.wrong_type("a list of mappings", f"write `{key}: [{{python: 3.12, db: pg}}]`")
                continue
            if len(item.by_text) > MAX_VARIABLES:
                self._report_too_many(len(item.by_text), f"variables in an entry of `{key}`", MAX_VARIABLES, field)
                continue
            entries.append((field, self._values(field, item)))
        return entries

    def _values(self, field: Field, item: MappingNode) -> dict[str, Scalar]:
        found: dict[str, Scalar] = {}
        keys: dict[str, Scalar] = {}
        for key, value in item:
            name = self._variable(key, keys)
            if not isinstance(value, Scalar) or value.kind == "null":
                self.failed = True
                Field(field.owner, f"{field.key}: {key.text}", value, field.findings).wrong_type("a single value")
            elif name is not None:
                found[name] = value
        return found

    def _check_known(self, axes: Mapping[str, object], excluded: Sequence[tuple[Field, Mapping[str, Scalar]]]) -> None:
        for field, entry in excluded:
            for name in entry.keys() - axes.keys():
                self._report_unknown(name, field, suggestion(name, list(axes)))

    def _without(self, excluded: Sequence[tuple[Field, Mapping[str, Scalar]]], found: list[Combination]) -> list[Combination]:
        left = found
        for field, entry in excluded:
            if not any(one.has(entry) for one in found):
                shown = ", ".join(f"{name} {value.text}" for name, value in entry.items())
                self._field.findings.warn(
                    Code.EXCLUDES_NOTHING,
                    f"{self._field.owner}: `exclude` takes nothing away: the matrix has no combination with {shown}",
                    field.place,
                    hint="remove the entry, or write values of the lists",
                )
            left = [one for one in left if not one.has(entry)]
        return left

    def _included(
        self, included: Sequence[tuple[Field, Mapping[str, Scalar]]], axes: Sequence[str], found: Sequence[Combination]
    ) -> list[Combination]:
        """The combinations that `include` adds. Those that it completes are in `found`."""
        added: list[Combination] = []
        for field, entry in included:
            more = {name: value for name, value in entry.items() if name not in axes}
            for name in more if self._comparisons > 0 else ():
                self._comparisons -= len(axes)
                meant = did_you_mean(name, axes)
                if meant is not None and meant not in entry:
                    self._report_unknown(name, field, f"did you mean `{meant}`?")
            fitting = [one for one in found if one.has(entry)]
            if fitting and more:
                for one in fitting:
                    one.more = {**one.more, **more}
            elif missing := [name for name in axes if name not in entry]:
                self._error(
                    Code.UNKNOWN_AXIS,
                    f"`include` adds a combination without a value for {', '.join(f'`{name}`' for name in missing)}",
                    field,
                    "write a value for each variable of the matrix; to complete combinations, write values that they have",
                )
            else:
                added.append(Combination({name: entry[name] for name in axes}, more))
        return added

    def _report_unknown(self, name: str, field: Field, hint: str | None) -> None:
        self._error(Code.UNKNOWN_AXIS, f"`{name}` is not a variable of the matrix", field, hint)

    def _report_too_many(self, count: int, what: str, limit: int, at: Field) -> None:
        hint = "use fewer values, or several stages"
        self._error(Code.WRONG_COUNT, f"the matrix has {count:,} {what}, but the limit is {limit}", at, hint)

    def _error(self, code: Code, message: str, at: Field, hint: str | None, *related: Related) -> None:
        self.failed = True
        at.findings.error(code, f"{self._field.owner}: {message}", at.place, hint=hint, related=related)
