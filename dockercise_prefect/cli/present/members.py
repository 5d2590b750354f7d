"""Which members of groups get a line while a run goes on (`each`)."""

from __future__ import annotations

from collections import Counter

from dockercise_prefect.pipeline import Stage
from dockercise_prefect.pipeline.instances import FOLDED_FROM
from dockercise_prefect.results.reading.members import MOST_FAILED
from dockercise_prefect.results.summary import StageSummary


class FirstMembers:
    """The first members of each group that end, and the first that fail. The line of the group counts all of them."""

    def __init__(self) -> None:
        self._passed: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()

    def shows(self, stage: Stage, summary: StageSummary) -> bool:
        """Whether a stage that has ended gets a line. Called once for each."""
        if stage.name == stage.declared_name:
            return True
        seen, most = (self._failed, MOST_FAILED) if summary.status.to_blame else (self._passed, FOLDED_FROM)
        seen[stage.declared_name] += 1
        return seen[stage.declared_name] <= most
