"""The permissions of a role in the template, and the calls of AWS in a room of the package."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from botocore import xform_name  # type: ignore[import-untyped]  # has no types
from botocore.session import get_session  # type: ignore[import-untyped]  # has no types
from cfnlint.decode import decode_str  # type: ignore[import-untyped]  # has no types

import dockercise_prefect
from dockercise_prefect.aws.stack.rendering import template

PACKAGE = Path(dockercise_prefect.__file__).parent


@dataclass(frozen=True)
class Permission:
    """One action that a role may do. `anywhere` says whether it is allowed for all resources without a condition."""

    action: str
    anywhere: bool


def permissions_of(role: str) -> Sequence[Permission]:
    """The permissions of a role of the template."""
    read, _ = decode_str(template())
    (policy,) = dict(read or {})["Resources"][role]["Properties"]["Policies"]
    return [
        Permission(action, statement["Resource"] == "*" and "Condition" not in statement)
        for statement in policy["PolicyDocument"]["Statement"]
        for action in _listed(statement["Action"])
    ]


@cache
def names_in(place: str) -> frozenset[str]:
    """The names of attributes, and the texts, in a module or in all modules of a room."""
    path = PACKAGE / place
    modules = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    nodes = [node for module in modules for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))]
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return frozenset(attributes | texts)


def calls_in(place: str, services: Iterable[str]) -> frozenset[str]:
    """The calls of AWS in a module or in all modules of a room, in the form `sqs:SendMessage`.

    Args:
        place: the module or the room, below the package.
        services: the services whose calls count.
    """
    names, session = names_in(place), get_session()
    models = {service: session.get_service_model(service) for service in services}
    return frozenset(
        f"{service}:{operation}"
        for service, model in models.items()
        for operation in model.operation_names
        if xform_name(operation) in names
    )


def _listed(value: Any) -> Sequence[str]:
    return [value] if isinstance(value, str) else list(value)
