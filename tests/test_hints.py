"""Hints name only things that a user has."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "dockercise_prefect"


def test_no_message_names_a_page_that_is_not_installed() -> None:
    """No text except a docstring names a file of `docs/`, since the package does not contain these pages."""
    found = [
        f"{path.relative_to(PACKAGE)}: {node.value}"
        for path in PACKAGE.rglob("*.py")
        for text in [path.read_text()]
        if "docs/" in text  # parsing all of them takes seconds
        for tree in [ast.parse(text)]
        for documented in [_docstrings(tree)]
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "docs/" in node.value and ".md" in node.value
        if node not in documented
    ]

    assert found == []


def _docstrings(tree: ast.Module) -> list[ast.expr]:
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
