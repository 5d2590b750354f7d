"""`strategy: matrix` of a job, without the combinations for other systems than Linux."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice, product

from dockercise_prefect.frontend.nodes import Mapping as MappingNode
from dockercise_prefect.frontend.nodes import Node, Scalar, Sequence
from dockercise_prefect.importing.fields import Fields
from dockercise_prefect.importing.github.texts import Texts
from dockercise_prefect.importing.model import Matrix
from dockercise_prefect.importing.names import variable_name
from dockercise_prefect.importing.notes import Notes, quoted

_RUNS_ON = re.compile(r"\$\{\{\s*matrix\.([\w.-]+)\s*\}\}\Z")
_ELSEWHERE = re.compile(r"windows|macos|mac-os|osx", re.IGNORECASE)
_MOST = 256

_Row = dict[str, str]


def read_matrix(strategy: Fields, runs_on: str, texts: Texts, notes: Notes) -> tuple[Matrix | None, str]:
    """The combinations of a job, and the system that it runs on.

    The axis that names the system is left out, and its value is a constant of `texts`.
    """
    node = strategy.mapping("matrix")
    strategy.leave_rest({"max-parallel": "`--jobs` limits how many stages run at once"}, frozenset({"fail-fast"}))
    if node is None:
        return None, runs_on
    axes: dict[str, tuple[_Row, ...]] = {}
    include: list[_Row] = []
    exclude: list[_Row] = []
    for key, value in node:
        if key.text in {"include", "exclude"}:
            rows = [
                _row("", row) for row in (value.items if isinstance(value, Sequence) else ()) if isinstance(row, MappingNode)
            ]
            (include if key.text == "include" else exclude).extend(rows)
        elif isinstance(value, Sequence) and value.items:
            axes[key.text] = tuple(_row(key.text, item) for item in value.items)
        else:
            notes.left_out(f"matrix: {key.text}", "its values are only known during a run", value)
    system = _RUNS_ON.search(runs_on.strip())
    if system is not None:
        runs_on = _without_systems(system[1], axes, (include, exclude), texts, node)
    return _matrix(axes, include, exclude, texts, node), runs_on


def _row(path: str, node: Node) -> _Row:
    """The values of one combination by their paths: `config.os`."""
    if isinstance(node, Scalar):
        return {path: node.text}
    if isinstance(node, MappingNode):
        found: _Row = {}
        for key, value in node:
            found |= _row(f"{path}.{key.text}" if path else key.text, value)
        return found
    return {path: " ".join(item.text for item in node.items if isinstance(item, Scalar))}


def _without_systems(
    path: str, axes: dict[str, tuple[_Row, ...]], rows: tuple[list[_Row], list[_Row]], texts: Texts, at: Node
) -> str:
    """Leave out other systems than Linux, and then the name of the system."""
    include, exclude = rows
    lost: dict[str, None] = {}
    systems: dict[str, None] = {}

    def stays(row: _Row) -> bool:
        value = row.get(path)
        if value is None:
            return True
        (lost if _ELSEWHERE.search(value) else systems)[value] = None
        return not _ELSEWHERE.search(value)

    for axis, values in list(axes.items()):
        axes[axis] = tuple(row for row in values if stays(row))
    include[:] = [row for row in include if stays(row)]
    exclude[:] = [row for row in exclude if not _ELSEWHERE.search(row.get(path, ""))]
    if lost:
        texts.notes.changed("matrix", f"without {', '.join(map(quoted, lost))}: every stage runs in a container of Linux", at)
    chosen = next(iter(systems), "ubuntu-latest")
    if len(systems) > 1:
        others = ", ".join(quoted(each) for each in systems if each != chosen)
        texts.notes.changed("matrix", f"without {others}: a stage has one image", at)
    for axis, values in list(axes.items()):
        if any(path in row for row in values):
            kept = [
                {key: value for key, value in row.items() if key != path} for row in values if row.get(path, chosen) == chosen
            ]
            axes[axis] = tuple(row for row in kept if row)
            if not axes[axis]:
                del axes[axis]
    include[:] = [{key: value for key, value in row.items() if key != path} for row in include]
    exclude[:] = [
        {key: value for key, value in row.items() if key != path} for row in exclude if row.get(path, chosen) == chosen
    ]
    texts.constants[f"matrix.{path}"] = chosen
    return chosen


def _matrix(
    axes: Mapping[str, tuple[_Row, ...]], include: list[_Row], exclude: list[_Row], texts: Texts, at: Node
) -> Matrix | None:
    def named(row: Mapping[str, str]) -> _Row:
        return {variable_name(key.replace(".", "_")): texts.plain(value, at) for key, value in row.items()}

    rows = {"include": [named(row) for row in include if row], "exclude": [named(row) for row in exclude if row]}
    if all(set(row) == {axis} for axis, values in axes.items() for row in values):
        plain = {
            variable_name(axis): tuple(named(row)[variable_name(axis)] for row in values)
            for axis, values in axes.items()
            if values
        }
        if not plain and not rows["include"]:
            return None
        return Matrix(plain, tuple(rows["include"]), tuple(row for row in rows["exclude"] if plain))
    combined: list[_Row] = []
    for combination in islice(product(*axes.values()), _MOST):
        whole: _Row = {}
        for row in combination:
            whole |= named(row)
        combined.append(whole)
    return Matrix({}, tuple([*combined, *rows["include"]][:_MOST]))
