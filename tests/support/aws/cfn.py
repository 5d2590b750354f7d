"""Reads templates of CloudFormation as values, and says what their policies allow."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """Reads the short forms of functions, such as `!Ref X`, as their long forms."""


def _long_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    value: Any
    match node:
        case yaml.ScalarNode():
            value = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case _:
            assert isinstance(node, yaml.MappingNode)
            value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long_form)


def read_template(text: str) -> dict[str, Any]:
    """The template as a value."""
    template: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506  derived from the safe loader
    return template


def lint(file: Path) -> str:
    """What cfn-lint says about a template; empty if the template is right."""
    program = str(Path(sys.executable).with_name("cfn-lint"))
    command = [program, "--non-zero-exit-code", "none", "--regions", "eu-west-1", "--", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def statements(template: Mapping[str, Any], role: str) -> Iterator[Mapping[str, Any]]:
    """The statements of a role's own policies, or of a managed policy."""
    properties = template["Resources"][role]["Properties"]
    policies = properties.get("Policies") or [properties]
    for policy in policies:
        yield from policy["PolicyDocument"]["Statement"]


def actions(template: Mapping[str, Any], role: str) -> set[str]:
    """The actions that the statements of a role allow."""
    given = [statement["Action"] for statement in statements(template, role)]
    return {action for some in given for action in ([some] if isinstance(some, str) else some)}


def allows(template: Mapping[str, Any], role: str, action: str) -> bool:
    """Whether a statement of a role allows an action on something."""
    return any(fnmatchcase(action, pattern) for pattern in actions(template, role))


def text_of(value: Any, account: str = "222222222222") -> str:
    """A text with the pseudo parameters of CloudFormation replaced."""
    text = str(value["Fn::Sub"]) if isinstance(value, Mapping) else str(value)
    known = {"AWS::Partition": "aws", "AWS::AccountId": account}
    return re.sub(r"\$\{([^!}]+)\}", lambda found: known.get(found[1], f"<{found[1]}>"), text)
