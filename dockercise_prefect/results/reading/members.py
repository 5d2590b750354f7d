"""Which members of groups are shown: of many, only those that failed (`each`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from dockercise_prefect.pipeline.instances import FOLDED_FROM
from dockercise_prefect.results.summary import StageSummary

MOST_FAILED = 100
"""How many members that failed are shown of one group, at most."""


def folded(stages: Mapping[str, StageSummary]) -> dict[str, StageSummary]:
    """The entries of a summary that are shown, in the same order. The message of each group says how many members there are.

    Args:
        stages: the entries of stages, groups and members, by their names.
    """
    instances = {name: stage.instance.of for name, stage in stages.items() if stage.instance is not None}
    members = {name: of for name, of in instances.items() if of in stages}
    counts = Counter(members.values())
    failed: Counter[str] = Counter()
    shown: dict[str, StageSummary] = {}
    for name, stage in stages.items():
        group = members.get(name)
        if group is not None and counts[group] >= FOLDED_FROM:
            failed[group] += stage.status.to_blame
            if not stage.status.to_blame or failed[group] > MOST_FAILED:
                continue
        shown[name] = stage
    return shown
