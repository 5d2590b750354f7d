"""Which lint rules are on: `meta.lint`, and the finding about a code that is not a lint rule."""

from __future__ import annotations

from enum import StrEnum

from dockercise_prefect.compiler.reading.shapes import Key, Schema, mapping_of
from dockercise_prefect.compiler.reading.values import Field, one_of
from dockercise_prefect.errors import did_you_mean
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Mapping, Node, is_null
from dockercise_prefect.pipeline import Code

LINT_RULES = tuple(code for code in Code if code.is_lint_rule)


class Switch(StrEnum):
    """A value for a rule in `meta.lint`. In YAML 1.2, both words are texts."""

    ON = "on"
    OFF = "off"


SCHEMA: Schema = mapping_of({code: Key(one_of(Switch).schema, code.meaning) for code in LINT_RULES})
"""The schema of `meta.lint`."""


def read_switches(node: Node, findings: Findings) -> frozenset[Code]:
    """The rules that `meta.lint`, a mapping of codes to `on` or `off`, switches off."""
    if not isinstance(node, Mapping):
        Field("meta", "lint", node, findings).wrong_type(
            "a mapping of lint rules to `on` or `off`", "write `lint: {DK104: off}`"
        )
        return frozenset()
    read = one_of(Switch)
    off = set()
    for key, value in node:
        if key.text not in LINT_RULES:
            why, hint = not_a_rule(key.text)
            findings.error(Code.UNKNOWN_KEY, f"meta.lint: {why}", key.place, hint=hint)
        elif not is_null(value) and read(Field("meta.lint", key.text, value, findings)) is Switch.OFF:
            off.add(key.text)
    return frozenset(rule for rule in LINT_RULES if rule in off)


def not_a_rule(word: str) -> tuple[str, str]:
    """Why a word is not a lint rule, and a hint."""
    if word in list(Code):
        return f"`{word}` is not a lint rule", "only lint rules, DK100 and later, can be switched off"
    meant = did_you_mean(word.upper(), LINT_RULES)
    return (
        f"there is no lint rule `{word}`",
        f"did you mean `{meant}`?" if meant else f"the rules are DK100 to {LINT_RULES[-1]}",
    )
