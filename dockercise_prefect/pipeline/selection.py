"""Which stages a run has: its targets, what they need, and the clean-up stages that belong to them.

A clean-up stage is one whose `when` has the status `always` or `failure`. Usually nobody names it as a target, and no ordinary
stage needs it. So it joins a run by itself, but it never brings an ordinary stage with it (docs/adr/0037).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from dockercise_prefect.pipeline.dependency import DependencyKind
from dockercise_prefect.pipeline.model import Pipeline, Stage
from dockercise_prefect.pipeline.sources import StageName


def run_of(pipeline: Pipeline, targets: Iterable[StageName]) -> Pipeline:
    """The stages of a run, in the same order; the whole pipeline if there are no targets.

    They are the targets, all that they need, and the clean-up stages that belong to them. A clean-up stage with edges belongs
    to a run that has every stage that it uses, and at least one of the ordinary stages that it names. Its `after` edges to
    stages that are not in the run are left out. A clean-up stage without edges belongs to a run that has an ordinary stage
    that it comes after.

    A run of fewer targets is a part of a run of more targets: `run_of(run_of(p, a + b), a) == run_of(p, a)`.

    Raises:
        DefinitionError: a target is not a stage (DK040).
    """
    asked = pipeline.only(targets)
    if asked is pipeline:
        return pipeline
    chosen = {stage.name: stage for stage in asked}
    ends_alone = awaited_by_the_last(pipeline).isdisjoint(chosen)
    for stage in pipeline:
        if not stage.when.cleans_up or stage.name in chosen:
            continue
        if _belongs(stage, pipeline, chosen) if stage.depends_on else not ends_alone:
            kept = tuple(edge for edge in stage.depends_on if edge.stage in chosen)
            chosen[stage.name] = replace(stage, depends_on=kept)
    return replace(asked, stages=[chosen[stage.name] for stage in pipeline if stage.name in chosen])


def awaited_by_the_last(pipeline: Pipeline) -> set[StageName]:
    """The stages that clean-up stages without edges come after.

    They are all ordinary stages except those that depend on such a clean-up stage, directly or not.
    """
    late: set[StageName] = set()
    for stage in pipeline:
        if (stage.when.cleans_up and not stage.depends_on) or not late.isdisjoint(stage.needs):
            late.add(stage.name)
    return {stage.name for stage in pipeline if not stage.when.cleans_up and stage.name not in late}


def _belongs(stage: Stage, pipeline: Pipeline, chosen: Collection[StageName]) -> bool:
    """Whether a clean-up stage with edges belongs to a run that has the chosen stages."""
    if any(edge.stage not in chosen for edge in stage.depends_on if edge.kind is not DependencyKind.AFTER):
        return False
    ordinary = [name for name in stage.needs if not pipeline.by_name[name].when.cleans_up]
    return any(name in chosen for name in ordinary or stage.needs)
