"""How a run goes, besides its pipeline: the first entry of its journal, and `run` in its index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter

from dockercise_prefect.pipeline import StageName
from dockercise_prefect.pipeline.parameters.values import Value
from dockercise_prefect.pipeline.run_context import RunContext


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """How a run goes. Nothing in it is secret.

    Attributes:
        flow_run_id: the id of the flow run in Prefect.
        attempt: which attempt of the flow run it is, from 1 on.
        place: where the user wants the records of all runs.
        targets: the stages that the user asked for; empty for all.
        commit: the short id of the code's commit; None if it is not known.
        git: what the run knows of git, without what changed.
        skipped: the stages that are skipped whatever happens, each with the reason.
        masked: the stages with a secret text in their definition. The index of the record does not have it.
        untrusted: whether the limits of pipelines that are not trusted hold.
        aws: whether every stage gets a copy of the user's AWS folder.
        root: the folder of the code; None if there is none.
        secret_blocks: the Prefect Secret block of each secret variable of a registration, by the name of the variable.
        parameters: the values of the pipeline's parameters.
    """

    flow_run_id: str
    attempt: int
    place: str
    targets: Sequence[StageName]
    commit: str | None
    git: RunContext
    skipped: Mapping[StageName, str]
    masked: Sequence[StageName]
    untrusted: bool
    aws: bool
    root: str | None
    secret_blocks: Mapping[str, str]
    parameters: Mapping[str, Value] = field(default_factory=dict)

    @property
    def elsewhere(self) -> RunFacts:
        """What holds on other machines, too: it does not say where the code was on this one."""
        return replace(self, root=None)

    def to_json(self) -> dict[str, Any]:
        """As JSON values, which `from_json` parses."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunFacts:
        """Parse the result of `to_json`.

        Raises:
            ValueError: the object is not from this version of dockercise.
        """
        return _FACTS.validate_python(data)


_FACTS = TypeAdapter(RunFacts)
