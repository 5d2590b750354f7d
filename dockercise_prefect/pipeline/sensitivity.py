"""Which stages handle something sensitive, and why (LANGUAGE section 2, `noLog`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from dockercise_prefect.pipeline.model import Pipeline, Stage
from dockercise_prefect.pipeline.sources import StageName, folded, is_secret_file

NOTHING: Mapping[StageName, Collection[str]] = {}


def secret_variables(pipeline: Pipeline) -> dict[StageName, list[str]]:
    """For each stage and service, its secret files, and its variables that `meta.secrets` names.

    The names are those of `Pipeline.containers`.

    A stage that only joins others counts with its own variable.
    """
    named = set(pipeline.secrets)
    found = {
        each.name: [variable for variable in _variables(each) if is_secret_file(variable) or folded(variable) in named]
        for each in pipeline.containers.values()
    }
    return {name: variables for name, variables in found.items() if variables}


def sensitive_stages(pipeline: Pipeline, secrets: Mapping[StageName, Collection[str]] = NOTHING) -> dict[StageName, str]:
    """The stages whose output is sensitive, each with the reason.

    The output is sensitive if the stage says so, if it has a secret variable, or if it comes after a sensitive stage: any kind
    of edge gives it `/out/<stage>`. `noLog: false` says that a stage reveals nothing, so the stages after it are not sensitive
    because of it.

    Args:
        pipeline: the pipeline, in an order in which it can run.
        secrets: for each stage and service, variables that hold a secret in addition to those in `meta.secrets`.
    """
    named = secret_variables(pipeline)
    reasons: dict[StageName, str] = {}
    for stage in pipeline:
        containers = (stage, *stage.service_stages)
        secret = [name for found in (secrets, named) for each in containers for name in found.get(each.name, ())]
        reason = _reason(stage, secret, reasons)
        if reason is not None:
            reasons[stage.name] = reason
    return reasons


def _reason(stage: Stage, secrets: list[str], reasons: Mapping[StageName, str]) -> str | None:
    if stage.no_log is not None:
        return "its `noLog` says so" if stage.no_log else None
    if secrets and (stage.starts_container or stage.joins_only):  # a stage that only builds prints an image's id
        return f"its {'secret file' if is_secret_file(secrets[0]) else 'variable'} {secrets[0]} is secret"
    edge = next((edge for edge in stage.depends_on if edge.stage in reasons), None)
    return None if edge is None else f"it {edge.kind.phrase} {edge.stage}, which is sensitive"


def _variables(stage: Stage) -> Collection[str]:
    return [folded(stage.name)] if stage.joins_only else stage.env.keys()
