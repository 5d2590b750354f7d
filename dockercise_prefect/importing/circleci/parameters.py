"""Parameters of CircleCI: `<< parameters.version >>` stands for text in jobs, commands and executors."""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingOf

from dockercise_prefect.frontend.nodes import Mapping, Node, Scalar, Sequence
from dockercise_prefect.importing.fields import Budget

_PARAMETER = re.compile(r"<<\s*(?P<of>pipeline\.parameters|parameters|matrix)\.(?P<name>[\w-]+)\s*>>")
_OF_PIPELINE = {
    "pipeline.git.branch": "$DOCKERCISE_BRANCH",
    "pipeline.git.tag": "$DOCKERCISE_TAG",
    "pipeline.git.revision": "$DOCKERCISE_COMMIT",
    "pipeline.id": "$DOCKERCISE_RUN_ID",
    "pipeline.number": "$DOCKERCISE_RUN_ID",
}
_PIPELINE = re.compile(r"<<\s*(pipeline\.[\w.]+)\s*>>")


def defaults_of(node: Node | None) -> dict[str, Node]:
    """The defaults of a `parameters`."""
    found: dict[str, Node] = {}
    for key, value in node if isinstance(node, Mapping) else ():
        default = value.by_key.get("default") if isinstance(value, Mapping) else None
        if default is not None:
            found[key.text] = default
    return found


def substituted(node: Node, values: MappingOf[str, Node], of: str, budget: Budget) -> Node:
    """A node with the values of its parameters.

    Args:
        node: the node.
        values: the values of parameters that are known.
        of: `parameters` or `pipeline.parameters`.
        budget: limits what all jobs have together.
    """
    if isinstance(node, Scalar):
        return _scalar(node, values, of)
    budget.spend(1, node)
    if isinstance(node, Sequence):
        return Sequence(node.path, node.mark, tuple(substituted(item, values, of, budget) for item in node.items))
    entries = {text: (key, substituted(value, values, of, budget)) for text, (key, value) in node.by_text.items()}
    return Mapping(node.path, node.mark, entries)


def _scalar(node: Scalar, values: MappingOf[str, Node], of: str) -> Node:
    if "<<" not in node.text:
        return node
    whole = _PARAMETER.fullmatch(node.text.strip())
    if whole and whole["of"] == of and whole["name"] in values:
        return values[whole["name"]]

    def text(match: re.Match[str]) -> str:
        value = values.get(match["name"]) if match["of"] == of else None
        return value.text if isinstance(value, Scalar) else match[0]

    found = _PARAMETER.sub(text, node.text)
    found = _PIPELINE.sub(lambda match: _OF_PIPELINE.get(match[1], match[0]), found)
    return Scalar(node.path, node.mark, found, "text" if found != node.text else node.kind)
