"""Builds the page of a run from the graph of its stages and their results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dockercise_prefect.collector import collector_paused
from dockercise_prefect.emit.request import Request
from dockercise_prefect.emit.svg import Look, svg
from dockercise_prefect.pipeline import Pipeline, StageName
from dockercise_prefect.pipeline.members import with_members, without_members
from dockercise_prefect.results.reading.instances import Instances, folded_instances
from dockercise_prefect.results.reading.wording import MARKS, duration, words
from dockercise_prefect.results.report.run_page import Head, run_page, stage_anchor
from dockercise_prefect.results.report.source import FolderSource
from dockercise_prefect.results.summary import RunSummary, StageSummary

MOST_NAMED = 3
"""The most failed instances that the tool tip of their box names."""

LARGEST_GRAPH = 400
"""The largest number of stages to draw. A bigger picture is unreadable."""


def report(folder: Path, pipeline: Pipeline, summary: RunSummary, commit: str | None = None) -> str:
    """The page of a run that has ended.

    Args:
        folder: where its record is, on this machine.
        pipeline: the pipeline that ran.
        summary: how it ended.
        commit: the commit of the code that ran; None if it is not known.
    """
    graph = drawing(pipeline, summary.stages)
    with collector_paused():
        stages = with_members(pipeline, summary.stages)
        return run_page(FolderSource(folder), Head.of(summary), stages, summary.stages, graph=graph, commit=commit)


def drawing(pipeline: Pipeline, stages: Mapping[StageName, StageSummary]) -> str | None:
    """The graph of a run as SVG; None if it has only one stage, or too many for a picture.

    Args:
        pipeline: the pipeline that ran.
        stages: how its stages ended. Those that are missing have not started.
    """
    drawn = without_members(pipeline)
    groups = folded_instances(drawn, stages)
    if not 1 < len(drawn) - sum(len(one.names) - 1 for one in groups.values()) <= LARGEST_GRAPH:
        return None
    looks = {name: _look(name, stage) for name, stage in stages.items()}
    return svg(Request(drawn), {**looks, **{name: _look_of_instances(one) for name, one in groups.items()}})


def _look_of_instances(instances: Instances) -> Look:
    first = next(iter(instances.blamed or instances.summaries))
    named = f" ({', '.join(instances.blamed[:MOST_NAMED])})" if instances.blamed else ""
    return Look(instances.status.value, MARKS[instances.status], instances.counts + named, stage_anchor(first))


def _look(name: str, stage: StageSummary) -> Look:
    took = "" if stage.seconds is None else f", {duration(stage.seconds)}"
    return Look(stage.status.value, MARKS[stage.status], f"{words(stage.status)}{took}", stage_anchor(name))
