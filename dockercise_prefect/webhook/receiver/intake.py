"""Handles a request: checks it, stores it and answers."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from dockercise_prefect.webhook.payload.claims import claimed_addresses
from dockercise_prefect.webhook.payload.delivery import Delivery, MalformedError, kind_of, read_delivery
from dockercise_prefect.webhook.payload.event import Event, other_event
from dockercise_prefect.webhook.payload.fields import shown
from dockercise_prefect.webhook.payload.proof import Proof
from dockercise_prefect.webhook.payload.pull_request import PullRequest
from dockercise_prefect.webhook.payload.push import NoPush
from dockercise_prefect.webhook.payload.reading import event_of
from dockercise_prefect.webhook.receiver.directory import Directory
from dockercise_prefect.webhook.receiver.hub import Registered
from dockercise_prefect.webhook.receiver.inbox import Acceptance, Addressee, Inbox

MOST_HASHED = 128 * 1024 * 1024
"""The most bytes that are hashed to find the secret of one delivery.

This is enough for five secrets if the body is the largest, and for thousands if it has a usual size.
"""

_HASH_COST = 8 * 1024
"""The cost of one attempt in addition to hashing the body, as the bytes that could be hashed in the same time."""


class Result(StrEnum):
    """What became of a request."""

    QUEUED = "queued"
    REPEATED = "repeated"
    IGNORED = "ignored"
    FORGED = "forged"
    UNKNOWN = "unknown"
    MALFORMED = "malformed"
    TOO_BIG = "too big"
    TOO_SLOW = "too slow"
    FULL = "full"
    FAILED = "failed"

    @property
    def status(self) -> int:
        """The HTTP status that says so."""
        return _STATUSES[self]


_STATUSES = {
    Result.QUEUED: 202,
    Result.REPEATED: 200,
    Result.IGNORED: 200,
    Result.FORGED: 401,
    Result.UNKNOWN: 404,
    Result.MALFORMED: 400,
    Result.TOO_BIG: 413,
    Result.TOO_SLOW: 408,
    Result.FULL: 503,
    Result.FAILED: 503,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered to the host, and what is written to the log.

    Attributes:
        result: what became of the request.
        message: one line for the host's list of deliveries; never holds a secret or a payload.
        about: kind of host, repository, branch or tag, and commit, as far as they are known.
        hint: what the operator can do; for the log only.
        asks: whether the answer may change after the registrations have been read again.
        unread: whether the rest of the body was not read from the connection. Then the connection cannot be used again.
    """

    result: Result
    message: str
    about: tuple[str, ...] = ()
    hint: str | None = None
    asks: bool = False
    unread: bool = False


class Intake:
    """Judges requests. Methods may be called from several threads at once, and take milliseconds.

    The order of the steps keeps the cost of unknown senders low. First, a body is searched for the repositories that it claims
    to be about. Then the body is proven as received, with a secret of one of those. Only then is it parsed.
    """

    def __init__(self, directory: Directory, inbox: Inbox, queued: Callable[[], None]) -> None:
        """Make the intake.

        Args:
            directory: knows the registrations.
            inbox: stores accepted deliveries.
            queued: called when a delivery was stored.
        """
        self._directory = directory
        self._inbox = inbox
        self._queued = queued

    def take(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Check a request, and store it if it is an event that a deployment waits for.

        Args:
            headers: values by names in lower case, each byte one character.
            body: the whole body.
        """
        try:
            return self._judged(read_delivery(headers, body))
        except MalformedError as error:
            kind = kind_of(headers)
            return Answer(result=Result.MALFORMED, message=error.message, about=(kind,) if kind else (), hint=error.hint)
        except sqlite3.Error as error:
            return Answer(result=Result.FAILED, message="the delivery cannot be stored now", hint=str(error))

    def _judged(self, delivery: Delivery) -> Answer:
        where: tuple[str, ...] = (delivery.kind,)
        if not delivery.proofs:
            return Answer(result=Result.FORGED, message="the delivery is not signed", about=where, hint=_UNSIGNED)
        claimed = claimed_addresses(delivery)
        if not claimed:
            return Answer(result=Result.IGNORED, message="the delivery does not name a repository", about=where)
        registered = self._directory.find(claimed)
        if not registered:
            return self._unknown((*where, shown(max(claimed, key=_parts))))
        proven = self._proven(delivery, registered)
        where = (*where, shown(max(claimed & registered[0].repositories, key=_parts)))
        if not proven:
            return self._forged(where, registered)
        event = other_event(delivery) or event_of(delivery)
        if isinstance(event, NoPush):
            return Answer(result=Result.IGNORED, message=event.reason, about=where)
        return self._wanted(delivery, event, proven)

    def _wanted(self, delivery: Delivery, event: Event, proven: Mapping[str, Proof]) -> Answer:
        """Judge an event that was read. Each deployment of its repository is started only if its own secret was proven."""
        where = (delivery.kind, shown(event.repository))
        registered = self._directory.find(event.addresses)
        secrets = {one: self._directory.secret(one) or "" for one in registered}
        proofs = {one: proven[secret] for one, secret in secrets.items() if secret in proven}
        if not proofs:
            return self._forged(where, registered)
        about = (*where, shown(event.name), event.after[:7])
        wanting = [one for one in proofs if one.takes(event)]
        if not wanting:
            return Answer(result=Result.IGNORED, message=f"no deployment waits for {_kind_of_event(event)}", about=about)
        return self._kept(delivery, event, wanting, any(proof.body_alone for proof in proofs.values()), about)

    def _proven(self, delivery: Delivery, registered: Sequence[Registered]) -> dict[str, Proof]:
        """The secrets of registrations that the sender knows, each with the proof of that.

        The number of hashed bytes is limited, however many registrations a body claims to be about.
        """
        now = time.time()
        cost = len(delivery.proofs) * (len(delivery.body) + _HASH_COST)
        secrets = dict.fromkeys(secret for one in registered if (secret := self._directory.secret(one)))
        tried = islice(secrets, max(1, MOST_HASHED // cost))
        return {secret: proof for secret in tried if (proof := delivery.proven_by(secret, now))}

    def _kept(
        self, delivery: Delivery, event: Event, wanting: Sequence[Registered], by_digest: bool, about: tuple[str, ...]
    ) -> Answer:
        acceptance = self._inbox.accept(
            f"{delivery.kind}:{delivery.identity}",
            delivery.digest if by_digest else None,
            event,
            [Addressee(one.deployment_id, one.name) for one in wanting],
            time.time(),
        )
        if acceptance is Acceptance.FULL:
            return Answer(result=Result.FULL, message="too many deliveries are already waiting", about=about)
        if acceptance is Acceptance.REPEATED:
            return Answer(result=Result.REPEATED, message="this delivery was already accepted, and runs once", about=about)
        self._queued()
        return Answer(result=Result.QUEUED, message=f"queued for {', '.join(one.name for one in wanting)}", about=about)

    def _unknown(self, where: tuple[str, ...]) -> Answer:
        if self._directory.health().hub_answers:
            return Answer(
                result=Result.UNKNOWN,
                message="no deployment waits for pushes to this repository",
                about=where,
                hint="`dockercise register` creates one",
                asks=True,
            )
        return Answer(result=Result.FAILED, message="the registrations cannot be read now", about=where, asks=True)

    def _forged(self, where: tuple[str, ...], registered: Sequence[Registered]) -> Answer:
        without = [one.name for one in registered if self._directory.secret(one) is None]
        hint = f"there is no secret for {', '.join(without)}: set DOCKERCISE_WEBHOOK_SECRET, or register with one"
        return Answer(
            result=Result.FORGED,
            message="the signature does not match the secret of this repository",
            about=where,
            hint=hint if without else "the secret at the host differs from the one in Prefect's Secret block",
        )


_UNSIGNED = "enter the secret of this receiver in the webhook; deliveries without a secret are refused"


def _kind_of_event(event: Event) -> str:
    if isinstance(event, PullRequest):
        return f"pull requests{' of forks' if event.is_fork else ''} into this branch"
    return "this tag" if event.tag else "pushes to this branch"


def _parts(address: str) -> tuple[int, str]:
    return address.count("/"), address
