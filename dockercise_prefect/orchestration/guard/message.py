"""What a run tells its guardian. It goes through the guardian's standard input, because it contains secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dockercise_prefect.pipeline import Pipeline, StageName, from_json, to_json
from dockercise_prefect.runtime.stage.environment import Outside


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a guardian needs besides the record of the run.

    Attributes:
        folder: of the record on this machine.
        flow_run_id: the id of the flow run.
        attempt: which attempt of the flow run it is, from 1 on.
        lease: of the slot that the run occupies (`meta.concurrency`); None if it has none.
        worker: the process that has started the process of the run (`ownership.Owner`); None if nobody has.
        environment: of the process of the run.
        pipeline: the stages of the run, with all texts.
        targets: the stages that the user asked for.
        outside: the variables from outside.
    """

    folder: str
    flow_run_id: str
    attempt: int
    lease: str | None
    worker: str | None
    environment: Mapping[str, str]
    pipeline: Pipeline
    targets: Sequence[StageName]
    outside: Outside

    def to_json(self) -> str:
        """As one line of JSON, which `from_json` parses."""
        data = {
            "folder": self.folder,
            "flow_run_id": self.flow_run_id,
            "attempt": self.attempt,
            "lease": self.lease,
            "worker": self.worker,
            "environment": dict(self.environment),
            "pipeline": to_json(self.pipeline, self.targets),
            "outside": {"variables": self.outside.variables, "secret": self.outside.secret},
        }
        return json.dumps(data, ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str) -> Told:
        """Parse the result of `to_json`."""
        data = json.loads(text)
        outside = data["outside"]
        return cls(
            folder=data["folder"],
            flow_run_id=data["flow_run_id"],
            attempt=data["attempt"],
            lease=data["lease"],
            worker=data["worker"],
            environment=data["environment"],
            pipeline=from_json(data["pipeline"]),
            targets=data["pipeline"]["targets"],
            outside=Outside(outside["variables"], outside["secret"]),
        )
