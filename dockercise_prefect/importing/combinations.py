"""The combinations of a matrix, in the form that a stage has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice, product

from dockercise_prefect.compiler.reading.names import is_ours
from dockercise_prefect.importing.model import Matrix
from dockercise_prefect.importing.names import variable_name
from dockercise_prefect.pipeline.instances import instance_key

MOST = 256
"""The most combinations of a stage."""

_Row = dict[str, str]


def normalized(matrix: Matrix) -> Matrix:
    """The same combinations, with names in upper case, and a value for each variable in each entry of `include`.

    A matrix of lists stays one; other entries than lists of values become a list of all combinations if they do not fit it.
    """
    axes = {axis_name(name): tuple(dict.fromkeys(values)) for name, values in matrix.axes.items() if values}
    include, exclude = _upper(matrix.include), _upper(matrix.exclude)
    listed: list[_Row] = [dict(zip(axes, values, strict=True)) for values in islice(product(*axes.values()), MOST + 1) if axes]
    exclude = [row for row in exclude if any(_fits(row, each) for each in listed)]
    fits = all(row.keys() == axes.keys() and row not in listed for row in include)
    fits = fits and len({instance_key(row.values()) for row in (*listed, *include)}) == len(listed) + len(include)
    if axes and fits and len(listed) + len(include) <= MOST and all(row.keys() <= axes.keys() for row in exclude):
        return Matrix(axes, tuple(include), tuple(exclude))
    rows = [row for row in listed if not any(_fits(row_out, row) for row_out in exclude)]
    names = dict.fromkeys([*axes, *(name for row in include for name in row)])
    added: list[_Row] = []
    for entry in include:
        of_axes = {name: value for name, value in entry.items() if name in axes}
        fitting = [row for row in rows if _fits(of_axes, row)]
        if fitting and len(of_axes) < len(entry):
            for row in fitting:
                row.update(entry)
        else:
            added.append(entry)
    whole = [{name: row.get(name, "") for name in names} for row in (*rows, *added)]
    unique = {instance_key(row.values()): row for row in reversed(whole)}
    return Matrix({}, tuple(reversed(unique.values()))[:MOST])


def axis_name(name: str) -> str:
    """The name that a variable of a matrix has here."""
    plain = variable_name(name)
    return f"MATRIX_{plain}" if is_ours(plain) else plain


def is_followed(before: Matrix, after: Matrix) -> bool:
    """Whether a stage would wait for its counterpart alone: it has all variables of the other one, and other combinations."""
    return before != after and _names(before) <= _names(after)


def rows_of(matrix: Matrix) -> list[_Row]:
    """All combinations of lists and of `include`."""
    listed = (dict(zip(matrix.axes, values, strict=True)) for values in product(*matrix.axes.values()) if matrix.axes)
    return [*islice(listed, MOST), *map(dict, matrix.include)]


def _names(matrix: Matrix) -> set[str]:
    return {*matrix.axes, *(name for row in matrix.include for name in row)}


def _upper(rows: Sequence[Mapping[str, str]]) -> list[_Row]:
    return [{axis_name(name): value for name, value in row.items()} for row in rows if row]


def _fits(entry: Mapping[str, str], row: Mapping[str, str]) -> bool:
    return all(row.get(name) == value for name, value in entry.items())
