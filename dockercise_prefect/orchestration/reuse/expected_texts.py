"""The texts of variables as a run from the command line would find them, without asking Prefect for Secret blocks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from dockercise_prefect.pipeline import EnvSource, HostVariable, Pipeline, Stage, StageName
from dockercise_prefect.pipeline.run_context import OF_THE_OUTCOME, RunContext
from dockercise_prefect.reuse.unknown import UNKNOWN_TEXT
from dockercise_prefect.runtime.stage.environment import OutsideSource, VariableTexts, resolve_outside


def expected_texts(
    pipeline: Pipeline, git: RunContext, flags: Mapping[str, str], file_variables: Mapping[str, str]
) -> VariableTexts:
    """The texts of the variables of each stage. A variable that is set nowhere can be in a Secret block: it has `UNKNOWN_TEXT`.

    Args:
        pipeline: the stages of the run.
        git: what the run would know of git.
        flags: the variables of `--env`.
        file_variables: the variables of `--env-file`.

    Raises:
        DefinitionError: a variable cannot be passed on (DK051).
    """
    of_the_run = {**dict.fromkeys(OF_THE_OUTCOME, ""), **git.variables}
    sources = [
        OutsideSource("the run itself", of_the_run.get, explicit=True),
        OutsideSource("--env", flags.get, explicit=True),
        OutsideSource("--env-file", file_variables.get, explicit=True),
        OutsideSource("the process's environment", os.environ.get),
    ]
    lenient = replace(pipeline, stages=[_lenient(stage) for stage in pipeline], digest=None)
    found = resolve_outside(lenient, sources).variables
    texts: dict[StageName, Mapping[str, str]] = {}
    for stage in pipeline.containers.values():
        known = found[stage.name]
        missing = [
            name
            for name, source in stage.env.items()
            if isinstance(source, HostVariable) and not source.optional and not {name, source.name} & known.keys()
        ]
        texts[stage.name] = {**known, **dict.fromkeys(missing, UNKNOWN_TEXT)}
    return VariableTexts(pipeline, texts)


def _lenient(stage: Stage) -> Stage:
    """The same stage, with variables from outside that may be unset."""
    services = tuple(replace(service, env=_optional(service.env)) for service in stage.services)
    return replace(stage, env=_optional(stage.env), services=services)


def _optional(env: Mapping[str, EnvSource]) -> dict[str, EnvSource]:
    outside = {name: replace(source, optional=True) for name, source in env.items() if isinstance(source, HostVariable)}
    return {**env, **outside}
