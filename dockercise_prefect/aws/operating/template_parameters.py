"""The parameters that a template has, and the values that a change gives them."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from dockercise_prefect.aws.operating.deployed import Deployed
from dockercise_prefect.errors import UsageError, did_you_mean


def template_parameters(template: str) -> dict[str, str | None]:
    """The names of the parameters of a template, each with its default; None if it has none.

    Args:
        template: the text of the template. Functions such as `!Sub` are not evaluated.
    """
    found = _field(yaml.compose(template), "Parameters")
    if not isinstance(found, yaml.MappingNode):
        return {}
    return {str(name.value): _text(_field(about, "Default")) for name, about in found.value}


def values_for(known: Mapping[str, str | None], given: Mapping[str, str], existing: Deployed | None) -> dict[str, str | None]:
    """The values of a change: what is given, else what the stack has (None), else the default of the template (left out).

    Args:
        known: what `template_parameters` found.

    Raises:
        UsageError: the template has no such parameter.
    """
    for name in given:
        if name not in known:
            meant = did_you_mean(name, list(known))
            hint = f"did you mean {meant}?" if meant else f"it has {', '.join(known)}"
            raise UsageError(f"the stack has no parameter {name}", hint)
    has = set(existing.parameters) if existing else set()
    return {name: given.get(name) for name in known if name in given or name in has}


def value_after(name: str, known: Mapping[str, str | None], given: Mapping[str, str], existing: Deployed | None) -> str:
    """The value that a parameter will have; empty if it has none."""
    if name in given:
        return given[name]
    before = existing.parameters.get(name) if existing else None
    return (known.get(name) or "") if before is None else before


def _field(node: yaml.Node | None, name: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if key.value == name), None)


def _text(node: yaml.Node | None) -> str | None:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else None
