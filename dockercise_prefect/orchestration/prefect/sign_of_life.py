"""The sign of life of a run: labels of its flow run in Prefect, where every machine can see them (docs/adr/0033).

The labels say which process the run belongs to. Prefect notes when a flow run was changed last, by its own clock. So each time
the labels are sent again, even if they are the same, the flow run shows that its process was alive at that time.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException

from dockercise_prefect.runtime.cleanup.labels import GUARDIAN, OWNER
from dockercise_prefect.runtime.cleanup.ownership import this_process

ATTEMPT = "dockercise.attempt"
RECORD = "dockercise.record"


@dataclass(frozen=True, slots=True)
class Sign:
    """What a run's process says of itself. Nothing in it is secret.

    Attributes:
        owner: the process (`ownership.Owner`).
        attempt: which attempt of the flow run the process runs, from 1.
        record: the URL of the run's record; None until it has begun.
        guardian: the process that finishes the run if that process dies (`ownership.Owner`); None if there is none.
    """

    owner: str
    attempt: int
    record: str | None = None
    guardian: str | None = None

    def labels(self) -> dict[str, bool | int | float | str]:
        """The labels of the flow run. They replace those of an earlier attempt."""
        return {OWNER: self.owner, ATTEMPT: self.attempt, RECORD: self.record or "", GUARDIAN: self.guardian or ""}

    @classmethod
    def parse(cls, labels: Mapping[str, Any]) -> Sign | None:
        """Parse the result of `labels()`; None if no run of ours has written these labels."""
        owner, attempt, record = labels.get(OWNER), labels.get(ATTEMPT), labels.get(RECORD)
        if not isinstance(owner, str) or not isinstance(attempt, int) or not isinstance(record, str):
            return None
        return cls(owner, attempt, record or None, str(labels.get(GUARDIAN) or "") or None)


def sign_now(attempt: int) -> Sign:
    """The sign of this process, before the record of its run has begun."""
    return Sign(str(this_process(None)), attempt)


def announce() -> None:
    """Send the first sign of life, before the flow run that this is called in is Running.

    If Prefect does not accept it, the heartbeat sends the next one.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or not isinstance(context.client, SyncPrefectClient):
        return
    sign = sign_now(context.flow_run.run_count + 1)
    with suppress(httpx.HTTPError, PrefectException):
        context.client.update_flow_run_labels(context.flow_run.id, sign.labels())
