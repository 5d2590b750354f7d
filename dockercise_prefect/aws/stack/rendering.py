"""The template of a stack as one text, with the door's code and the user data in it."""

from __future__ import annotations

import ast
import textwrap
from importlib.resources import files
from pathlib import Path

MOST_BYTES = 51_200
"""The size of a template that CloudFormation takes without a bucket (AWS's documentation of CloudFormation quotas)."""

PARTS = ("door.py", "user_data.sh")
"""The files that are put into the template. `"{door.py}"` stands in their place."""


def template() -> str:
    """The template of a stack."""
    room = files(__package__)
    text, door, user_data = (room.joinpath(name).read_text(encoding="utf-8") for name in ("template.yaml", *PARTS))
    return rendered(text, dict(zip(PARTS, (without_docstrings(door), user_data), strict=True)))


def without_docstrings(code: str) -> str:
    """Python code without its docstrings, which take much of the room that a template has."""
    lines = code.splitlines()
    texts = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    gone = {number for node in texts for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    return "\n".join(line for number, line in enumerate(lines, start=1) if number not in gone).strip() + "\n"


def rendered(text: str, parts: dict[str, str]) -> str:
    """Put files into a template, each as a block of text.

    Args:
        text: the template. A value of the form `"{NAME}"` at the end of a line is the place of a file.
        parts: the texts of the files by their names.
    """
    lines = []
    for line in text.splitlines():
        name = next((name for name in parts if line.endswith(f' "{{{name}}}"')), None)
        if name is None:
            lines.append(line)
        else:
            indent = " " * (len(line) - len(line.lstrip(" -")) + 2)
            lines += [line.removesuffix(f'"{{{name}}}"') + "|", *textwrap.indent(parts[name], indent).splitlines()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path("deployments/aws/template.yaml").write_text(template(), encoding="utf-8")
