"""The variables that tell a clean-up stage how the run stands: `DOCKERCISE_STATUS` and `DOCKERCISE_FAILED`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dockercise_prefect.orchestration.run.record import RunRecord
from dockercise_prefect.pipeline import Pipeline, StageName
from dockercise_prefect.pipeline.run_context import OF_THE_OUTCOME
from dockercise_prefect.runtime.stage.ports import Texts


@dataclass(frozen=True)
class OutcomeTexts:
    """The texts of variables, with how the run stands when a clean-up stage starts (`ports.Texts`).

    Attributes:
        pipeline: the stages of the run.
        texts: the texts that do not change during the run.
        record: has the ends of stages.
    """

    pipeline: Pipeline
    texts: Texts
    record: RunRecord

    def of(self, stage: StageName) -> Mapping[str, str]:
        """See `Texts`."""
        texts = self.texts.of(stage)
        if not self.pipeline.container(stage).when.cleans_up or texts.keys().isdisjoint(OF_THE_OUTCOME):
            return texts
        ended = self.record.stages()
        to_blame = [one.name for one in self.pipeline if one.name in ended and ended[one.name].status.to_blame]
        outcome = dict(zip(OF_THE_OUTCOME, (self.record.standing.value, "\n".join(to_blame)), strict=True))
        return {**texts, **{name: outcome[name] for name in OF_THE_OUTCOME if name in texts}}
