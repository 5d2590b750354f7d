"""Makes the document that a package prints: all files of a folder in one document."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as SequenceOf

from dockercise_prefect.errors import Related
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.merge import MergedDocument
from dockercise_prefect.frontend.nodes import Mapping, Node, Position, Scalar, Sequence, is_null
from dockercise_prefect.pipeline import Code

_NOWHERE = "", Position(0, 0)
"""Path and position of nodes that are merged from several files."""


def packaged(merged: MergedDocument, findings: Findings) -> Mapping:
    """One document with the same meaning as the files: `meta` first, then the stages in their order.

    `meta.name` is left out. It is the name of this folder's pipeline. In a pipeline that uses the package, it would become that
    pipeline's name or conflict with it.

    Args:
        merged: the files.
        findings: collects a `meta.env` that is a list in one file and a mapping in another: one document cannot hold both.
    """
    settings = [(key, value) for name, (key, value) in merged.meta.items() if name != "name" and not is_null(value)]
    env = _env([node for node in merged.meta_env if not is_null(node)], findings)
    if env is not None:
        settings.append((Scalar(*_NOWHERE, "env"), env))
    meta = [(Scalar(*_NOWHERE, "meta"), _mapping(settings))] if settings else []
    return _mapping([*meta, *((stage.key, stage.body) for stage in merged.stages)])


def _mapping(entries: Iterable[tuple[Scalar, Node]]) -> Mapping:
    return Mapping(*_NOWHERE, {key.text: (key, value) for key, value in entries})


def _env(nodes: SequenceOf[Node], findings: Findings) -> Node | None:
    """Every `meta.env` in one. If a variable occurs twice, both have the same source; otherwise compiling would have failed."""
    if len(nodes) <= 1:
        return nodes[0] if nodes else None
    first, *others = nodes
    other = next((node for node in others if isinstance(node, Mapping) != isinstance(first, Mapping)), None)
    if other is not None:
        findings.error(
            Code.META_CONFLICT,
            "`meta.env` is a list in one file and a mapping in another, but a package has only one document",
            other.place,
            hint="write both the same way",
            related=[Related("the first is here", first.place)],
        )
        return None
    if isinstance(first, Mapping):
        entries: dict[str, tuple[Scalar, Node]] = {}
        for node in nodes:
            for key, value in node if isinstance(node, Mapping) else ():
                entries.setdefault(key.text, (key, value))
        return Mapping(*_NOWHERE, entries)
    return Sequence(
        *_NOWHERE, tuple(item for node in nodes for item in (node.items if isinstance(node, Sequence) else (node,)))
    )
