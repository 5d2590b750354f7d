"""Reads proven bodies: short ones in this process, long ones in a separate process.

Reading JSON blocks all threads of a process, and takes up to twenty times its size in memory. A sender who knows one secret of
a receiver must not be able to block it for all others.
"""

from __future__ import annotations

import json
from threading import BoundedSemaphore

from dockercise_prefect.bounded_process import Bounds, TooMuchWorkError, work_in_process
from dockercise_prefect.hosts.kinds import HostKind
from dockercise_prefect.webhook.payload.delivery import Delivery, MalformedError
from dockercise_prefect.webhook.payload.event import Event, event_from_json, read_event
from dockercise_prefect.webhook.payload.push import NoPush

READ_HERE = 256 * 1024
"""The largest body in bytes that is read in this process. Reading it takes some milliseconds, whatever it holds."""

_BOUNDS = Bounds(cpu=10, seconds=60, memory=512 << 20)
_WORK = f"{__name__}:work"
_ONE_AT_A_TIME = BoundedSemaphore()


def event_of(delivery: Delivery) -> Event | NoPush:
    """Read the push or the pull request in a delivery.

    Raises:
        MalformedError: the body is not JSON, lacks something that its event must have, or takes too much time or memory.
    """
    if len(delivery.body) <= READ_HERE:
        return read_event(delivery.kind, delivery.event, delivery.body, form=delivery.form)
    head = json.dumps([delivery.kind, delivery.event, delivery.form]).encode()
    try:
        with _ONE_AT_A_TIME:
            answer = work_in_process(_WORK, head + b"\n" + delivery.body, _BOUNDS)
    except TooMuchWorkError as error:
        raise MalformedError("the payload takes too much time or memory to read") from error
    what, said = json.loads(answer)
    if what == "malformed":
        raise MalformedError(said)
    return event_from_json(said) if what == "event" else NoPush(said)


def work(given: bytes) -> bytes:
    """Does the work of `event_of` in the separate process."""
    head, _, body = given.partition(b"\n")
    kind, event, form = json.loads(head)
    try:
        found = read_event(HostKind(kind), event, body, form=form)
    except MalformedError as error:
        return json.dumps(["malformed", error.message]).encode()
    return json.dumps(["other", found.reason] if isinstance(found, NoPush) else ["event", found.to_json()]).encode()
