"""Lint rules: they find likely mistakes in a pipeline that compiles. Each has a page in `docs/lint/`."""

from dockercise_prefect.compiler.lint.rules import RULES, Rule, lint

__all__ = ["RULES", "Rule", "lint"]
