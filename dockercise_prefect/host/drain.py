"""Takes pushes from the queue to the receiver on this host. A message is removed when the receiver has it on disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import httpx
from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.report import LastPush
from dockercise_prefect.errors import WebhookError
from dockercise_prefect.host.delivery import QueuedDelivery, UnreadableMessageError, headers_for_receiver, push_of
from dockercise_prefect.host.queue import TAKEN_SECONDS, Message, PushQueue
from dockercise_prefect.results.places.aws import aws_errors

RECEIVER = "http://127.0.0.1:8200/"

_ANSWER_SECONDS = 60.0
PAUSE_SECONDS = 3.0
HELD_SECONDS = 30.0
_LONGEST_HOLD = 300

_STORED = frozenset({200, 202})
_REFUSED = frozenset({400, 413})
_UNKNOWN = frozenset({401, 404})


class Verdict(StrEnum):
    """What to do with a message after the receiver's answer."""

    DONE = "done"
    LOST = "lost"
    LATER = "later"
    AGAIN = "again"


MOST_TRIES = 20
"""How often a push is tried whose repository is not registered yet. This takes more than an hour."""


def verdict(status: int | None, *, unregistered: bool, tries: int) -> Verdict:
    """Judge an answer of the receiver.

    Args:
        status: the HTTP status; None if the receiver did not answer.
        tries: how often the push was taken from the queue, this time included.
        unregistered: whether a repository of the stack is not registered yet. Then the receiver does not know it.

    Returns:
        DONE: the receiver has stored the push, or there is nothing to do for it. LOST: it can never be carried out. LATER: this
        repository may be registered in a minute, and others go on. AGAIN: the receiver cannot take anything now.
    """
    if status in _STORED:
        return Verdict.DONE
    if status in _REFUSED:
        return Verdict.LOST
    if status in _UNKNOWN:
        return Verdict.LATER if unregistered and tries < MOST_TRIES else Verdict.LOST
    return Verdict.AGAIN


def hold_seconds(tries: int) -> int:
    """For how many seconds a message is put aside: longer each time.

    Args:
        tries: how often it was taken.
    """
    return int(min(5 * 2 ** (tries - 1), _LONGEST_HOLD))


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int | None
    result: str
    message: str


class Drain:
    """Takes one message at a time. Thread-safe.

    Args:
        queue: the queues of the stack.
        body_of: reads the object with that key from the bucket; None if there is none. Raises `StorageError`.
        secrets: the secrets of webhooks, by the names of repositories.
        unregistered: whether a repository of the stack is not registered yet.
        clock: the time in seconds since 1970.
        say: called with a line for each message.
        receiver: the address of the receiver.
        pause: for how many seconds to wait for a receiver that cannot answer.
        patience: for how many seconds `held` waits.
    """

    def __init__(
        self,
        *,
        queue: PushQueue,
        body_of: Callable[[str], bytes | None],
        secrets: Callable[[], Mapping[str, str]],
        unregistered: Callable[[], bool],
        clock: Callable[[], float],
        say: Callable[[str], None],
        receiver: str = RECEIVER,
        pause: float = PAUSE_SECONDS,
        patience: float = HELD_SECONDS,
    ) -> None:
        self._queue = queue
        self._body_of = body_of
        self._secrets = secrets
        self._unregistered = unregistered
        self._clock = clock
        self._say = say
        self._receiver = receiver
        self._pause = pause
        self._patience = patience
        self._http = httpx.Client(timeout=_ANSWER_SECONDS, trust_env=False)  # a proxy does not lead to this machine
        self._working = threading.Lock()
        self._stopping = threading.Event()
        self.last_push: LastPush | None = None
        self.taken = 0

    def step(self, wait: int) -> bool:
        """Take the next message, and see to it. Returns whether there was one.

        If the receiver does not answer, this waits until it does, and keeps the message meanwhile. So a receiver that is down
        for an hour costs no message.

        Args:
            wait: for how many seconds to wait for a message, at most 20.

        Raises:
            StorageError: AWS does not answer. The message stays in the queue.
        """
        with self._working:
            message = None if self._stopping.is_set() else self._queue.take(wait)
            if message is None:
                return False
            self.taken += 1
            self._see_to(message)
            return True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Inside, no message is taken. Waits for a message that is being taken to the receiver.

        Raises:
            WebhookError: the receiver does not take it for so long that the caller had better look again.
        """
        if not self._working.acquire(timeout=self._patience):
            raise WebhookError("a push is being taken to the receiver, which does not answer")
        try:
            yield
        finally:
            self._working.release()

    def stop(self) -> None:
        """Take no further message, and stop waiting for the receiver. A message that it did not get stays in the queue."""
        self._stopping.set()

    def _see_to(self, message: Message) -> None:
        try:
            delivery = QueuedDelivery.from_text(message.text)
            body = self._body(delivery)
            while True:
                headers = headers_for_receiver(delivery, body, self._secrets(), self._clock())
                answer = self._posted(headers, body)
                unregistered = answer.status in _UNKNOWN and self._unregistered()
                outcome = verdict(answer.status, unregistered=unregistered, tries=message.tries)
                if outcome is not Verdict.AGAIN or self._stopping.wait(self._pause):
                    break
                self._queue.hold(message, TAKEN_SECONDS)
        except UnreadableMessageError as error:
            self._lose(message, error.message)
            return
        self._finish(message, delivery, body, answer, outcome)

    def _finish(self, message: Message, delivery: QueuedDelivery, body: bytes, answer: _Answer, outcome: Verdict) -> None:
        match outcome:
            case Verdict.DONE:
                self._queue.done(message)
            case Verdict.LOST:
                self._lose(message, f"{answer.result}: {answer.message}")
            case Verdict.LATER:
                self._queue.hold(message, hold_seconds(message.tries))
                self._say(f"a push waits until its repository is registered ({answer.message})")
                return
            case Verdict.AGAIN:
                self._queue.hold(message, 0)
                return
        push = push_of(delivery, body)
        self.last_push = LastPush(
            int(self._clock()), push.repository if push else None, push.after if push else None, answer.result
        )

    def _lose(self, message: Message, reason: str) -> None:
        self._queue.lose(message, reason)
        self._say(f"a message of the queue cannot be carried out, and is in the queue for dead letters: {reason}")

    def _body(self, delivery: QueuedDelivery) -> bytes:
        body = delivery.inline_body()
        if body is None:
            body = self._body_of(str(delivery.object))
        if body is None:
            raise UnreadableMessageError(f"the object {delivery.object} with the body is not in the bucket any more")
        return body

    def _posted(self, headers: list[tuple[bytes, bytes]], body: bytes) -> _Answer:
        try:
            answer = self._http.post(self._receiver, headers=headers, content=body)
        except (httpx.LocalProtocolError, UnicodeError):  # a header with a line end, for example: no receiver would ever see it
            raise UnreadableMessageError("the headers of the message are not headers of HTTP") from None
        except httpx.HTTPError as error:
            return _Answer(None, "no answer", type(error).__name__)
        try:
            said = answer.json()
            return _Answer(answer.status_code, str(said["result"]), str(said["message"]))
        except (ValueError, KeyError, TypeError):
            return _Answer(answer.status_code, f"status {answer.status_code}", "the answer is not one of the receiver")


def bucket_reader(client: Any, bucket: str) -> Callable[[str], bytes | None]:
    """A function that reads an object of a bucket; it returns None if there is none, and raises `StorageError`.

    Args:
        client: boto3's client for S3.
        bucket: the name of the bucket.
    """

    def read(key: str) -> bytes | None:
        with aws_errors(f"cannot read s3://{bucket}/{key}"):
            try:
                return bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read())
            except ClientError as error:
                if str(error.response.get("Error", {}).get("Code")) not in {"NoSuchKey", "404"}:
                    raise
        return None

    return read
