"""What a delivery is about: a push or a pull request."""

from __future__ import annotations

import json

from dockercise_prefect.hosts.kinds import HostKind
from dockercise_prefect.webhook.payload.delivery import Delivery
from dockercise_prefect.webhook.payload.fields import shown
from dockercise_prefect.webhook.payload.pull_request import PullRequest, read_pull_request
from dockercise_prefect.webhook.payload.push import NoPush, Push, read_push

Event = Push | PullRequest

PUSHES = {
    HostKind.GITHUB: {"push"},
    HostKind.GITEA: {"push"},
    HostKind.GITLAB: {"Push Hook", "Tag Push Hook"},
}
PULL_REQUESTS = {
    HostKind.GITHUB: {"pull_request"},
    HostKind.GITEA: {"pull_request", "pull_request_sync"},
    HostKind.GITLAB: {"Merge Request Hook"},
}


def other_event(delivery: Delivery) -> NoPush | None:
    """Why a delivery starts nothing, according to its headers; None if they say that it is a push or a pull request."""
    if delivery.event == "ping":
        return NoPush("pong: waiting for pushes to this repository")
    if delivery.event not in PUSHES[delivery.kind] | PULL_REQUESTS[delivery.kind]:
        return NoPush(f"the event `{shown(delivery.event)}` is ignored; only pushes and pull requests start runs")
    return None


def read_event(kind: HostKind, event: str, body: bytes, *, form: bool) -> Event | NoPush:
    """Read the body of an event that `other_event` lets through.

    Args:
        kind: the kind of host that sent it.
        event: the host's name for what happened.
        body: the body as received. Its proof must have been checked before, because reading it costs time and memory.
        form: whether the payload is a field of a form.

    Raises:
        MalformedError: the body is not JSON, or lacks something that its event must have.
    """
    read = read_pull_request if event in PULL_REQUESTS[kind] else read_push
    return read(kind, body, form=form)


def event_from_json(given: str) -> Event:
    """Read what `to_json` of a push or a pull request returned.

    Raises:
        ValueError: the text is something else.
    """
    return (PullRequest if "number" in json.loads(given) else Push).from_json(given)
