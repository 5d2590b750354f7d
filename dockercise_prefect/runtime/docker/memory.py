"""Whether a container ran out of memory, also where the engine hears of that after the container's end.

The kernel tells the engine of the one and of the other by two ways. On a busy machine the end comes first about once in a
hundred times; the engine then never corrects `OOMKilled` and only sends an event.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from docker import APIClient

from dockercise_prefect.runtime.engine import KILLED

EVENT_DELAY = 1
"""Whole seconds after the end's own in which the event may come; it was seen to come after 0.3 to 0.6."""


def ran_out_of_memory(client: APIClient, inspected: Mapping[str, Any]) -> bool:
    """Whether the kernel ended a container for want of memory.

    Args:
        client: of its engine.
        inspected: the container as the engine describes it after its end.

    Raises:
        APIError, requests.RequestException: the engine does not answer.
    """
    state = inspected["State"]
    if state["OOMKilled"] or state["ExitCode"] != KILLED or not inspected["HostConfig"]["Memory"]:
        return bool(state["OOMKilled"])
    filters = {"container": inspected["Id"], "event": "oom"}
    until = _second(state["FinishedAt"]) + 1 + EVENT_DELAY  # by the engine's own clock
    # Read to its end: the SDK can break a stream off on some kinds of connections only.
    return bool(list(client.events(since=_second(state["StartedAt"]), until=until, filters=filters)))


def _second(timestamp: str) -> int:
    return int(datetime.fromisoformat(timestamp).timestamp())
