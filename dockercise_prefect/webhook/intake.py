"""What becomes of a request: judged, kept, and answered for."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dockercise_prefect.repository.branches import takes_branch
from dockercise_prefect.webhook.delivery import Delivery, MalformedError, kind_of, read_delivery
from dockercise_prefect.webhook.directory import Directory
from dockercise_prefect.webhook.fields import shown
from dockercise_prefect.webhook.hub import Registered
from dockercise_prefect.webhook.inbox import Acceptance, Addressee, Inbox
from dockercise_prefect.webhook.push import NoPush, Push, read_push
from dockercise_prefect.webhook.repository import Repository, repository_of


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
    """What the host is told, and what the log is.

    Attributes:
        result: what became of the request.
        message: one line for whoever looks at the host's list of deliveries; never a secret, never a payload.
        about: kind of host, repository, branch and commit, as far as they are known.
        hint: for the log alone: what whoever runs the receiver can do.
        asks: whether it may be another one when the registrations have been read again.
    """

    result: Result
    message: str
    about: tuple[str, ...] = ()
    hint: str | None = None
    asks: bool = False


class Intake:
    """Judges requests. Methods may be called from several threads at once, and take milliseconds."""

    def __init__(self, directory: Directory, inbox: Inbox, queued: Callable[[], None]) -> None:
        """Put it together.

        Args:
            directory: knows the registrations.
            inbox: keeps what is accepted.
            queued: called when something was.
        """
        self._directory = directory
        self._inbox = inbox
        self._queued = queued

    def take(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Judge a request, and keep it where it is a push that somebody waits for.

        Args:
            headers: by their names in small letters, each byte one character.
            body: all of it.
        """
        try:
            delivery = read_delivery(headers, body)
            return self._judged(delivery, repository_of(delivery))
        except MalformedError as error:
            kind = kind_of(headers)
            return Answer(result=Result.MALFORMED, message=error.message, about=(kind,) if kind else (), hint=error.hint)
        except sqlite3.Error as error:
            return Answer(result=Result.FAILED, message="the delivery cannot be kept now", hint=str(error))

    def _judged(self, delivery: Delivery, repository: Repository | None) -> Answer:
        where = (delivery.kind, shown(repository.path)) if repository else (delivery.kind,)
        if not delivery.proofs:
            return Answer(result=Result.FORGED, message="the delivery is not signed", about=where, hint=_UNSIGNED)
        if repository is None:
            return Answer(result=Result.IGNORED, message="the delivery names no repository", about=where)
        registered = self._directory.find(repository.addresses)
        if not registered:
            return self._unknown(where)
        genuine, signed = self._genuine(delivery, registered)
        if not genuine:
            return self._forged(where, registered)
        return self._wanted(delivery, read_push(delivery, repository), genuine, signed, where)

    def _wanted(
        self, delivery: Delivery, push: Push | NoPush, genuine: Sequence[Registered], signed: bool, where: tuple[str, ...]
    ) -> Answer:
        if isinstance(push, NoPush):
            return Answer(result=Result.IGNORED, message=push.reason, about=where)
        about = (*where, shown(push.branch), push.after[:7])
        wanting = [one for one in genuine if takes_branch(one.branches, push.branch)]
        if not wanting:
            return Answer(result=Result.IGNORED, message="no deployment waits for pushes to this branch", about=about)
        return self._kept(delivery, push, wanting, signed, about)

    def _genuine(self, delivery: Delivery, registered: Sequence[Registered]) -> tuple[list[Registered], bool]:
        """Those whose secret the sender knows; each is judged by its own. And whether the body is what was signed."""
        genuine: list[Registered] = []
        signed = False
        now = time.time()
        proofs = {secret: delivery.proven_by(secret, now) for secret in set(map(self._directory.secret, registered)) if secret}
        for one in registered:
            secret = self._directory.secret(one)
            proof = proofs.get(secret) if secret else None
            if proof is not None:
                genuine.append(one)
                signed |= proof.signs_body
        return genuine, signed

    def _kept(
        self, delivery: Delivery, push: Push, wanting: Sequence[Registered], signed: bool, about: tuple[str, ...]
    ) -> Answer:
        acceptance = self._inbox.accept(
            f"{delivery.kind}:{delivery.identity}",
            delivery.digest if signed else None,
            push,
            [Addressee(one.deployment_id, one.name) for one in wanting],
            time.time(),
        )
        if acceptance is Acceptance.FULL:
            return Answer(result=Result.FULL, message="too many deliveries wait already", about=about)
        if acceptance is Acceptance.REPEATED:
            return Answer(result=Result.REPEATED, message="this delivery was accepted before, and runs once", about=about)
        self._queued()
        return Answer(result=Result.QUEUED, message=f"queued for {', '.join(one.name for one in wanting)}", about=about)

    def _unknown(self, where: tuple[str, ...]) -> Answer:
        if self._directory.health().hub_answers:
            return Answer(
                result=Result.UNKNOWN,
                message="no deployment waits for pushes to this repository",
                about=where,
                hint="`dockercise register` makes one",
                asks=True,
            )
        return Answer(result=Result.FAILED, message="the registrations cannot be read now", about=where, asks=True)

    def _forged(self, where: tuple[str, ...], registered: Sequence[Registered]) -> Answer:
        without = [one.name for one in registered if self._directory.secret(one) is None]
        hint = f"there is no secret for {', '.join(without)}: set DOCKERCISE_WEBHOOK_SECRET, or register with one"
        return Answer(
            result=Result.FORGED,
            message="the signature does not fit the secret of this repository",
            about=where,
            hint=hint if without else "the secret at the host is another one than in Prefect's Secret block",
        )


_UNSIGNED = "give the webhook the secret that this receiver knows; without one nobody is believed"
