"""The conditions of `when` that are decided before anything starts (LANGUAGE section 7)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from dockercise_prefect.pipeline.dependency import DependencyKind
from dockercise_prefect.pipeline.lifecycle import When
from dockercise_prefect.pipeline.model import Pipeline, Stage
from dockercise_prefect.pipeline.name_globs import takes_name
from dockercise_prefect.pipeline.run_context import RunContext
from dockercise_prefect.pipeline.selection import run_of
from dockercise_prefect.pipeline.sources import StageName


def unmet(when: When, context: RunContext) -> str | None:
    """The first condition that does not hold, in words; None if all hold.

    Args:
        when: the conditions of a stage.
        context: what the run knows of git.
    """
    if when.event and context.event not in when.event:
        return f"the run began by {context.event}, not by {_either(when.event)}"
    if when.branch and context.pull_request and not when.event:
        return "the run is of a pull request, and `branch` without `event: pull_request` is for the branch itself"
    for what, globs, name in (("branch", when.branch, _branch_of(context)), ("tag", when.tag, context.tag)):
        if globs and not (name and takes_name(globs, name)):
            has = f"the {what} is {name}" if name else f"the run has no {what}"
            return f"{has}, and must match {_either(globs)}"
    if when.changed and context.changed is not None and not _touched(when.changed, context.changed):
        return f"the {'pull request' if context.pull_request else 'push'} changed no file that matches {_either(when.changed)}"
    return None


def skipped_beforehand(pipeline: Pipeline, context: RunContext, targets: Collection[StageName]) -> dict[StageName, str]:
    """The stages that are certainly skipped, each with the reason.

    Args:
        pipeline: the stages of the run (`selection.run_of`).
        context: what the run knows of git.
        targets: the stages that were asked for; empty for all.
    """
    targets = pipeline.named(targets)
    skipped: dict[StageName, str] = {}
    for stage in pipeline:
        why = unmet(stage.when, context) or _uses_skipped(stage, skipped)
        if why is not None:
            skipped[stage.name] = why
    wanted = [name for name in targets if name not in skipped]
    if targets:
        rest = run_of(pipeline, wanted).by_name if wanted else {}
        for stage in pipeline:
            if stage.name not in rest:
                skipped.setdefault(stage.name, _not_needed(pipeline, stage, targets))
    return {stage.name: skipped[stage.name] for stage in pipeline if stage.name in skipped}


def without(pipeline: Pipeline, skipped: Collection[StageName]) -> Pipeline:
    """The stages that may run: the pipeline without skipped stages, and without the edges to them."""
    if not skipped:
        return pipeline
    stages = [
        replace(stage, depends_on=tuple(edge for edge in stage.depends_on if edge.stage not in skipped))
        for stage in pipeline
        if stage.name not in skipped
    ]
    return replace(pipeline, stages=stages, digest=None)


def passes_on_a_skip(stage: Stage, kind: DependencyKind) -> bool:
    """Whether the stage is skipped if a stage is skipped to which it has such an edge.

    A clean-up stage runs whatever came of the others. But it cannot run in an image that does not exist, or after a question
    that nobody answered.
    """
    if stage.when.cleans_up:
        return kind is DependencyKind.IMG or kind.asks
    return kind is not DependencyKind.AFTER


def _branch_of(context: RunContext) -> str:
    """The branch that conditions ask for: the target of a pull request, in a stage whose `event` includes pull requests."""
    return context.target_branch if context.pull_request else context.branch


def _uses_skipped(stage: Stage, skipped: Collection[StageName]) -> str | None:
    edge = next((edge for edge in stage.depends_on if edge.stage in skipped and passes_on_a_skip(stage, edge.kind)), None)
    return None if edge is None else f"it {edge.kind.phrase} {edge.stage}, which is skipped"


def _not_needed(pipeline: Pipeline, stage: Stage, targets: Collection[StageName]) -> str:
    """Why a stage does not have to run if some targets are skipped. A clean-up stage may be in the run without being needed."""
    users = [name for name in targets if stage.name in pipeline.only([name]).by_name]
    return f"only {_either(users)} needs it" if users else "nothing runs that it comes after"


def _touched(globs: Sequence[str], paths: Iterable[str]) -> bool:
    from dockercise_prefect.globs import Globs  # noqa: PLC0415  only pipelines with this condition need pathspec

    patterns = Globs(globs)
    return any(patterns.takes(path) for path in paths)


def _either(words: Iterable[str]) -> str:
    return " or ".join(words)
