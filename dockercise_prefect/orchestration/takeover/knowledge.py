"""What is known of the texts of variables when a run is finished: everything, or what can be found again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from dockercise_prefect.errors import DefinitionError
from dockercise_prefect.orchestration.crash.left_run import LeftRun
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.orchestration.run.variable_sources import outside_sources, secret_block
from dockercise_prefect.pipeline import HostVariable, LiteralValue, Pipeline, Stage, StageName
from dockercise_prefect.pipeline.sensitivity import secret_variables, sensitive_stages
from dockercise_prefect.runtime.stage.environment import Lookup, Outside, OutsideSource, resolve_outside


@dataclass(frozen=True, kw_only=True)
class Knowledge:
    """What is known of a run besides its record.

    Attributes:
        pipeline: the stages of the run.
        outside: the variables from outside, of the stages that may still run.
        all_secrets: whether all secret texts are known, so that they can be found in what stages leave.
        refused: the clean-up stages that cannot run, because a variable is not known any more, each with the reason.
    """

    pipeline: Pipeline
    outside: Outside
    all_secrets: bool
    refused: Mapping[StageName, str] = field(default_factory=dict)


def found_again(left: LeftRun, options: RunOptions, parameter: Mapping[str, str]) -> Knowledge:
    """What can be found again of a run whose process has died.

    That is what the run knew of git, the flow run's `env`, and Secret blocks of Prefect for those variables that came from such
    blocks. The environment of the process and its `--env` are gone. No other source replaces them: a variable could have
    another text there.

    What clean-up stages print is not shown if it may contain secrets, because nobody knows their texts any more.

    Args:
        left: the run.
        options: of the run.
        parameter: the flow run's `env`.

    Raises:
        httpx.HTTPError, PrefectException: Prefect does not answer.
    """
    variables: dict[StageName, Mapping[str, str]] = {}
    refused: dict[StageName, str] = {}
    masked = secret_variables(left.pipeline)
    for stage in left.pipeline:
        if not stage.when.cleans_up or left.has_ended(stage.name):
            continue
        lost = [name for name in masked.get(stage.name, ()) if isinstance(stage.env.get(name), LiteralValue)]
        if lost:
            refused[stage.name] = _gone(lost[0])
            continue
        if stage.name in left.facts.masked:
            refused[stage.name] = "only the process that died knew a secret text that is written in it"
            continue
        sources = list(_sources(stage, left, options, parameter))
        try:
            alone = Pipeline(left.pipeline.name, [replace(stage, depends_on=())])
            variables[stage.name] = resolve_outside(alone, sources).variables[stage.name]
        except DefinitionError:
            names = [source.name for source in stage.env.values() if isinstance(source, HostVariable) and not source.optional]
            unknown = [name for name in names if all(source.lookup(name.upper()) is None for source in sources)]
            refused[stage.name] = _gone(unknown[0] if unknown else names[0])
        else:  # without a variable that was set, even an optional one, it could do something else
            gone = [name for name in left.variables.get(stage.name, ()) if name not in variables[stage.name]]
            if gone:
                refused[stage.name] = _gone(gone[0])
    sensitive = sensitive_stages(left.pipeline, left.secret)
    stages = [
        replace(stage, no_log=True) if stage.when.cleans_up and stage.name in sensitive else stage for stage in left.pipeline
    ]
    return Knowledge(
        pipeline=replace(left.pipeline, stages=stages),
        outside=Outside(variables, left.secret),
        all_secrets=not left.secret and not masked,
        refused=refused,
    )


def unshown(pipeline: Pipeline, lost: Collection[StageName], outside: Outside) -> Pipeline:
    """The pipeline, with `noLog` for each clean-up stage that may print what nobody can mask.

    What a sensitive stage prints is masked when it has ended. If its process has died before, nobody knows what it has printed,
    and its volume may have the same.

    Args:
        pipeline: the stages of the run.
        lost: the stages that had not ended when the process died.
        outside: says which variables are secret.
    """
    sensitive = sensitive_stages(pipeline, outside.secret)
    tainted = {name for name in lost if name in sensitive}
    for stage in pipeline:
        if stage.no_log is not False and any(edge.stage in tainted for edge in stage.depends_on):
            tainted.add(stage.name)
    hidden = {stage.name for stage in pipeline if stage.when.cleans_up and stage.no_log is None} & tainted - set(lost)
    stages = [replace(stage, no_log=True) if stage.name in hidden else stage for stage in pipeline]
    return replace(pipeline, stages=stages)


def _sources(stage: Stage, left: LeftRun, options: RunOptions, parameter: Mapping[str, str]) -> Iterator[OutsideSource]:
    secret = set(left.secret.get(stage.name, ()))
    names = {
        spelling
        for variable, source in stage.env.items()
        if isinstance(source, HostVariable) and not secret.isdisjoint({variable, source.name.upper()})
        for spelling in (source.name, source.name.upper())
    }
    given = outside_sources(
        replace(options, settings=replace(options.settings, untrusted=True)), left.facts.git, parameter
    )  # without the environment of this process
    for source in given:
        yield replace(source, lookup=_only(names, source.lookup)) if source.secret else source
    if not left.facts.untrusted:
        yield OutsideSource("a Prefect Secret block", _only(names, secret_block), secret=True)


def _only(names: set[str], lookup: Lookup) -> Lookup:
    return lambda name: lookup(name) if name in names else None


def _gone(variable: str) -> str:
    return f"only the process that died knew its variable {variable}"
