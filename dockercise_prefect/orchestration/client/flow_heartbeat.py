"""Prefect's heartbeat of a flow run: an event that automations on a Prefect server may wait for.

Prefect's engine sends it from a thread that sleeps for whole seconds, and the end of each flow run waits for this thread, half
a second on average. So `dockercise run` sends the same event itself, from a thread that ends at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import partial

import prefect
from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.settings import get_current_settings

EVENT = "prefect.flow-run.heartbeat"

SHORTEST_SECONDS = 30
"""Prefect's engine sends it no more often."""

LAST_SECONDS = 1.0
"""How many seconds the end of the flow run waits for an event that is being sent."""


def heartbeat_seconds() -> float | None:
    """How often the user's settings let Prefect send the event, in seconds; None for never."""
    wanted = get_current_settings().flows.heartbeat_frequency
    return None if wanted is None else max(wanted, SHORTEST_SECONDS)


@contextmanager
def flow_heartbeat(seconds: float | None) -> Iterator[None]:
    """Inside, the event is sent for the flow run that this is called in, at once and then again and again.

    Args:
        seconds: how many seconds pass between two events; None to send none.
    """
    if seconds is None:
        yield
        return
    over = threading.Event()
    # A thread that Prefect did not start has neither the flow run nor its API in its context.
    context = copy_context()
    work = partial(context.run, _work, _event_of_this_flow_run(), seconds, over)
    thread = threading.Thread(target=work, name="flow heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(LAST_SECONDS)


def _work(send: Callable[[], object], seconds: float, over: threading.Event) -> None:
    is_over = False
    while not is_over:
        with suppress(Exception):  # as Prefect's engine does: whatever fails, the run goes on, and the next event is sent
            send()
        is_over = over.wait(seconds)


def _event_of_this_flow_run() -> Callable[[], object]:
    """Sends the event, with what Prefect's engine says in it."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError("this was not called in a flow run")
    flow, flow_run = context.flow, context.flow_run
    related = [_related(f"flow.{flow_run.flow_id}", "flow") | {"prefect.resource.name": flow.name if flow else ""}]
    if flow_run.deployment_id is not None:
        related.append(_related(f"deployment.{flow_run.deployment_id}", "deployment"))
    related += [_related(f"tag.{tag}", "tag") for tag in sorted(set(flow_run.tags))]
    resource = {
        "prefect.resource.id": f"prefect.flow-run.{flow_run.id}",
        "prefect.resource.name": flow_run.name,
        "prefect.version": prefect.__version__,
    }
    return partial(emit_event, event=EVENT, resource=resource, related=related)


def _related(name: str, role: str) -> dict[str, str]:
    return {"prefect.resource.id": f"prefect.{name}", "prefect.resource.role": role}
