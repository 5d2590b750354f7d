"""What a change does to a pipeline, and what would run because of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dockercise_prefect.compiler.triggers import Match, triggered
from dockercise_prefect.pipeline import Pipeline, RunContext, Stage, StageName, meaning_of
from dockercise_prefect.pipeline.conditions import skipped_beforehand
from dockercise_prefect.pipeline.selection import run_of


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of two pipelines in what their stages do. Places, and whether an edge was inferred, do not count.

    Attributes:
        added: stages that only the later one has.
        changed: stages in both that do something else, each with the fields of `compile --format json` that differ.
        affected: unchanged stages that need, at any distance, an added or changed one, each with the nearest reason.
        removed: stages that only the earlier one has.
    """

    added: tuple[StageName, ...]
    changed: Mapping[StageName, tuple[str, ...]]
    affected: Mapping[StageName, StageName]
    removed: tuple[StageName, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """What would run.

    Attributes:
        targets: the stages whose triggers match a changed file.
        reasons: every stage that would run, in order, with the reason.
        skipped: every stage that would be skipped because of a condition, with the reason.
    """

    targets: Mapping[StageName, tuple[Match, ...]]
    reasons: Mapping[StageName, str]
    skipped: Mapping[StageName, str]


def compare(earlier: Pipeline | None, later: Pipeline) -> Difference:
    """What is different in the later pipeline. Without an earlier one, everything is new."""
    before = {} if earlier is None else earlier.by_name
    added = tuple(stage.name for stage in later if stage.name not in before)
    fields = {stage.name: _fields(meaning_of(before[stage.name]), meaning_of(stage)) for stage in later if stage.name in before}
    changed = {name: differing for name, differing in fields.items() if differing}
    affected: dict[StageName, StageName] = {}
    for stage in later:
        moved = next((name for name in stage.needs if name in changed or name in affected or name in added), None)
        if moved is not None and stage.name not in changed and stage.name in before:
            affected[stage.name] = moved
    return Difference(added, changed, affected, tuple(name for name in before if name not in later.by_name))


def work(pipeline: Pipeline, context: RunContext) -> Work:
    """The stages that run because of changed files.

    They are the triggered ones, all that they need, and the clean-up stages that belong to them; all if no stage has triggers.

    Args:
        pipeline: the pipeline.
        context: what is known of git; `changed` has the paths of changed files relative to the root, with `/`.
    """
    targets: Mapping[StageName, tuple[Match, ...]] = {}
    if not any(stage.triggers for stage in pipeline):
        reasons = {stage.name: "no stage has triggers" for stage in pipeline}
    else:
        targets = triggered(pipeline, context.changed or ())
        reasons = _reasons(pipeline, targets) if targets else {}
    skipped = skipped_beforehand(run_of(pipeline, targets), context, list(targets)) if reasons else {}
    return Work(targets, {name: why for name, why in reasons.items() if name not in skipped}, skipped)


def _reasons(pipeline: Pipeline, targets: Mapping[StageName, Sequence[Match]]) -> dict[StageName, str]:
    """The stages of the targets' run, each with the reason."""
    needed = pipeline.only(targets).by_name
    users: dict[StageName, StageName] = {}
    for stage in needed.values():
        for name in stage.needs:
            users.setdefault(name, stage.name)
    reasons = {name: _reason(targets.get(name, ()), users.get(name)) for name in needed}
    return {stage.name: reasons.get(stage.name) or _why_it_joins(stage) for stage in run_of(pipeline, targets)}


def _fields(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(field for field in after if before.get(field) != after[field])


def _reason(matches: Sequence[Match], user: StageName | None) -> str:
    if not matches:
        return f"needed by {user}"
    more = f", and {len(matches) - 1} more" if len(matches) > 1 else ""
    return f"{matches[0].path} matches {matches[0].glob}{more}"


def _why_it_joins(stage: Stage) -> str:
    """The reason for a clean-up stage that no other stage needs."""
    edge = next(iter(stage.depends_on), None)
    return f"a clean-up stage that {'comes after all ordinary stages' if edge is None else f'{edge.kind.phrase} {edge.stage}'}"
