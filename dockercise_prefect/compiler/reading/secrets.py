"""`meta.secrets`: the variables whose values are never shown, whatever their source (LANGUAGE section 1)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from dockercise_prefect.compiler.reading.shapes import SPACE, Schema, matcher, one_or_many, scalar
from dockercise_prefect.compiler.reading.values import Field, texts
from dockercise_prefect.errors import Place, did_you_mean
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.nodes import Node
from dockercise_prefect.pipeline import Code, Stage, StageName, folded, stages_of

_NAME_SOURCE = f"[^{SPACE}=?]+"
_NAME = matcher(_NAME_SOURCE)

SCHEMA: Schema = one_or_many(scalar(_NAME_SOURCE, "write names of variables only"))
"""The schema of `meta.secrets`."""


def read_secrets(node: Node, findings: Findings) -> dict[str, Place]:
    """The names that `meta.secrets` lists, folded as variables are, each with its place."""
    field = Field("meta", "secrets", node, findings)
    secrets: dict[str, Place] = {}
    for text, place in texts(field):
        if _NAME.match(text):
            secrets.setdefault(folded(text), place)
        else:
            # The text is not shown, because after a `=` there is the secret itself.
            hint = "write the names of variables only; never write the secret itself into the file"
            findings.error(Code.VARIABLE_NAME, "meta.secrets: an entry is not the name of a variable", place, hint=hint)
    return secrets


def silenced(stages: Mapping[StageName, Stage], secrets: Collection[str]) -> dict[StageName, Stage]:
    """The stages, with `noLog` set for those whose value is a secret variable, unless they set it themselves.

    The value of such a stage is a secret, so it must not be shown in the stage's own output either.
    """
    if not secrets:
        return dict(stages)
    told = {folded(name): name for name in stages}
    sources = {told[secret] for secret in secrets if secret in told}
    sources |= {
        name
        for stage in stages.values()
        for variable, source in stage.all_variables
        if folded(variable) in secrets
        for name in stages_of(source)
    }
    return {
        name: replace(stage, no_log=True) if name in sources and stage.no_log is None else stage
        for name, stage in stages.items()
    }


def report_unknown(secrets: Mapping[str, Place], stages: Mapping[StageName, Stage], findings: Findings) -> None:
    """DK043: a name in `meta.secrets` is not a variable of any stage."""
    variables = {folded(variable) for stage in stages.values() for variable, _ in stage.all_variables}
    known = {folded(name) for name in stages} | variables
    for secret, place in secrets.items():
        if secret not in known:
            meant = did_you_mean(secret, sorted(known))
            hint = f"did you mean `{meant}`?" if meant else "list variables that a stage's `env` has, or stages"
            findings.warn(Code.UNKNOWN_SECRET, f"meta.secrets: no stage has a variable {secret}", place, hint=hint)
