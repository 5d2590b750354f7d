"""Whether a container ran out of memory, also if the engine learns of that only after the container's end.

The kernel reports the lack of memory and the end of the container to the engine in two separate ways. On a busy machine, the
end is reported first in about one of a hundred cases. Then the engine never corrects `OOMKilled`; it only sends an event,
and sometimes not even that. Then nobody can know more than that something killed the container.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from docker import APIClient

from dockercise_prefect.runtime.engine import KILLED

EVENT_DELAY = 1
"""Whole seconds, after the second of the end, in which the event may come. We have seen it come after 0.3 to 0.6 seconds."""


def ran_out_of_memory(client: APIClient, inspected: Mapping[str, Any]) -> bool:
    """Whether the kernel killed a container because it ran out of memory.

    Args:
        client: of the container's engine.
        inspected: the container as the engine describes it after its end.

    Raises:
        APIError, requests.RequestException: the engine does not answer.
    """
    state = inspected["State"]
    if state["OOMKilled"] or state["ExitCode"] != KILLED or not inspected["HostConfig"]["Memory"]:
        return bool(state["OOMKilled"])
    filters = {"container": inspected["Id"], "event": "oom"}
    until = _second(state["FinishedAt"]) + 1 + EVENT_DELAY  # by the engine's own clock
    # Read the stream to its end: the SDK can close a stream early only on some kinds of connections.
    return bool(list(client.events(since=_second(state["StartedAt"]), until=until, filters=filters)))


def _second(timestamp: str) -> int:
    return int(datetime.fromisoformat(timestamp).timestamp())
