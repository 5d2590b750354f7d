"""What is likely a mistake in a pipeline that compiles: rules beyond errors, each with a page in `docs/lint/`."""

from dockercise_prefect.compiler.lint.rules import RULES, Rule, lint

__all__ = ["RULES", "Rule", "lint"]
