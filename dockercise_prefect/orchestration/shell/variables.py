"""The texts of the variables of a shell: found again in the places where a run finds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from functools import partial

from dockercise_prefect.errors import UsageError
from dockercise_prefect.orchestration.prefect.api import LOST, lost_api, prefect_api
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.orchestration.run.variable_sources import outside_sources
from dockercise_prefect.orchestration.shell.plan import Plan
from dockercise_prefect.pipeline import HostVariable, Pipeline, Stage, StageName
from dockercise_prefect.pipeline.run_context import OF_THE_OUTCOME, RunContext
from dockercise_prefect.results.reading.run_view import RunView
from dockercise_prefect.runtime.stage.environment import Lookup, OutsideSource, resolve_outside
from dockercise_prefect.status import RunStatus


def found_again(
    plan: Plan, options: RunOptions, view: RunView, notify: Callable[[str], None]
) -> Mapping[StageName, Mapping[str, str]]:
    """For each stage of a plan and each of its services, its variables from outside.

    Prefect is asked, and its local server started, only for variables that are nowhere else.

    Args:
        plan: what the shell needs.
        options: the variables of `--env` and `--env-file`, and what the run knew of git.
        view: the recorded run.
        notify: called with what is not set.

    Raises:
        DefinitionError, UsageError: variables are not found. Has all of one kind.
        OrchestratorError: Prefect does not answer.
    """
    given = {name: _given(lost, options) for name, lost in plan.lost.items()}
    _refuse_lost(plan, given)
    with ExitStack() as stack:
        sources = list(_sources(options, stack, notify))
        alone = [_without(stage, plan.lost[stage.name]) for stage in plan.stages]
        found = resolve_outside(Pipeline("shell", [replace(stage, depends_on=()) for stage in alone]), sources).variables
    texts = {name: {**variables, **given.get(name, {})} for name, variables in found.items()}
    if plan.stage.when.cleans_up:
        own = texts[plan.stage.name]
        own |= {name: text for name, text in _outcome(view, plan.stage).items() if name in own}
    found_names = {name.upper() for name in texts[plan.stage.name]}
    outside = [name for name, source in plan.stage.env.items() if isinstance(source, HostVariable)]
    unset = [name for name in outside if name.upper() not in found_names]
    if unset:
        notify(f"not set here, and the stage does not require it: {', '.join(unset)}")
    return texts


def _given(lost: Mapping[str, str], options: RunOptions) -> dict[str, str]:
    everything = {**options.file_variables, **options.flags}
    return {name: everything[name] for name in lost if name in everything}


def _refuse_lost(plan: Plan, given: Mapping[StageName, Mapping[str, str]]) -> None:
    unknown = {
        variable: why for stage, lost in plan.lost.items() for variable, why in lost.items() if variable not in given[stage]
    }
    if unknown:
        lines = "".join(f"\n  {variable}: {why}" for variable, why in unknown.items())
        hint = f"pass {' '.join(f'--env {variable}=…' for variable in unknown)}, or a file with --env-file"
        raise UsageError(f"variables of {plan.stage.name} cannot be found again:{lines}", hint)


def _without(stage: Stage, lost: Mapping[str, str]) -> Stage:
    return replace(stage, env={name: source for name, source in stage.env.items() if name not in lost})


def _sources(options: RunOptions, stack: ExitStack, notify: Callable[[str], None]) -> Iterator[OutsideSource]:
    entered: list[bool] = []

    def ask(lookup: Lookup, name: str) -> str | None:
        try:
            if not entered:
                stack.enter_context(prefect_api(options.settings.data, notify))
                entered.append(True)
            return lookup(name)
        except LOST as error:
            raise lost_api(error) from error

    for source in outside_sources(options, options.git or RunContext(), None):
        if source.secret and source.explicit and not options.secret_blocks:
            continue
        yield replace(source, lookup=partial(ask, source.lookup)) if source.secret else source


def _outcome(view: RunView, stage: Stage) -> Mapping[str, str]:
    """How the run stood when a clean-up stage began; for one that never began, how it stood at the end."""
    own = view.stages.get(stage.name)
    begun = None if own is None else own.started
    to_blame = [
        name
        for name in view.pipeline.by_name
        if (one := view.stages.get(name)) and one.status.to_blame and (begun is None or _is_before(one.finished, begun))
    ]
    cancelled = view.summary is not None and view.summary.status is RunStatus.CANCELLED
    standing = RunStatus.CANCELLED if cancelled else RunStatus.FAILED if to_blame else RunStatus.PASSED
    return dict(zip(OF_THE_OUTCOME, (standing.value, "\n".join(to_blame)), strict=True))


def _is_before(time: str | None, other: str) -> bool:
    return time is None or datetime.fromisoformat(time) <= datetime.fromisoformat(other)
