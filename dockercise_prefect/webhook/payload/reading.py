"""Reads proven bodies as pushes: short ones in this process, long ones in a separate process.

Reading JSON blocks all threads of a process, and takes up to twenty times its size in memory. A sender who knows one secret of
a receiver must not be able to block it for all others.
"""

from __future__ import annotations

import json
from threading import BoundedSemaphore

from dockercise_prefect.bounded_process import Bounds, TooMuchWorkError, work_in_process
from dockercise_prefect.hosts.kinds import HostKind
from dockercise_prefect.webhook.payload.delivery import Delivery, MalformedError
from dockercise_prefect.webhook.payload.push import NoPush, Push, read_push

READ_HERE = 256 * 1024
"""The largest body in bytes that is read in this process. Reading it takes some milliseconds, whatever it holds."""

_BOUNDS = Bounds(cpu=10, seconds=60, memory=512 << 20)
_WORK = f"{__name__}:work"
_ONE_AT_A_TIME = BoundedSemaphore()


def pushed(delivery: Delivery) -> Push | NoPush:
    """Read a delivery as a push.

    Raises:
        MalformedError: the body is not JSON, lacks something that a push must have, or takes too much time or memory to read.
    """
    if len(delivery.body) <= READ_HERE:
        return read_push(delivery.kind, delivery.body, form=delivery.form)
    head = json.dumps([delivery.kind, delivery.form]).encode()
    try:
        with _ONE_AT_A_TIME:
            answer = work_in_process(_WORK, head + b"\n" + delivery.body, _BOUNDS)
    except TooMuchWorkError as error:
        raise MalformedError("the payload takes too much time or memory to read") from error
    what, said = json.loads(answer)
    if what == "malformed":
        raise MalformedError(said)
    return Push.from_json(said) if what == "push" else NoPush(said)


def work(given: bytes) -> bytes:
    """Does the work of `pushed` in the separate process."""
    head, _, body = given.partition(b"\n")
    kind, form = json.loads(head)
    try:
        found = read_push(HostKind(kind), body, form=form)
    except MalformedError as error:
        return json.dumps(["malformed", error.message]).encode()
    return json.dumps(["push", found.to_json()] if isinstance(found, Push) else ["other", found.reason]).encode()
