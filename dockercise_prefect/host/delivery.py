"""A push as the door puts it into the queue, and as the receiver gets it. Nothing here has effects."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError, with_config

from dockercise_prefect.errors import DockerciseError, WebhookError
from dockercise_prefect.webhook.payload.delivery import read_delivery
from dockercise_prefect.webhook.payload.event import other_event
from dockercise_prefect.webhook.payload.proof import StandardSignature, standard_signature
from dockercise_prefect.webhook.payload.push import Push
from dockercise_prefect.webhook.payload.reading import event_of

TOKEN = "x-gitlab-token"  # noqa: S105  the name of a header
_SIGNED_AT = "webhook-timestamp"
_SIGNATURE = "webhook-signature"

_OF_THE_CONNECTION = frozenset(
    {"accept-encoding", "connection", "content-encoding", "content-length", "expect", "host", "transfer-encoding", "upgrade"}
)
"""Headers that belong to the connection between the git host and the door."""


class UnreadableMessageError(WebhookError):
    """A message of the queue cannot be read. It was not written by the door, or by another version of it."""


@with_config(extra="ignore")
@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedDelivery:
    """A message of the queue. The door has checked its signature.

    Attributes:
        headers: the headers of the delivery, by names in lower case.
        body: the body in base64; None if it is in the bucket.
        object: the key of the object with the body; None if the message has the body.
        token_of: the repository whose plain token the delivery had. The door does not put the token itself into the queue.
    """

    headers: Mapping[str, str] = field(repr=False)
    body: str | None = field(default=None, repr=False)
    object: str | None = None
    token_of: str | None = None

    @classmethod
    def from_text(cls, text: str) -> QueuedDelivery:
        """Parse the text of a message.

        Raises:
            UnreadableMessageError: it is not a delivery, or has neither a body nor an object.
        """
        try:
            message = _MESSAGES.validate_json(text)
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise UnreadableMessageError(f"the message is not a delivery: {where or 'the text'}: {first['type']}") from None
        if (message.body is None) == (message.object is None):
            raise UnreadableMessageError("the message must have either a body or an object")
        return message

    def inline_body(self) -> bytes | None:
        """The body; None if it is in the bucket.

        Raises:
            UnreadableMessageError: it is not in base64.
        """
        try:
            return None if self.body is None else base64.b64decode(self.body, validate=True)
        except (binascii.Error, ValueError):
            raise UnreadableMessageError("the body of the message is not in base64") from None


_MESSAGES = TypeAdapter(QueuedDelivery)


def headers_for_receiver(
    message: QueuedDelivery, body: bytes, secrets: Mapping[str, str], now: float
) -> list[tuple[bytes, bytes]]:
    """The headers with which the receiver gets the delivery.

    The plain token is put back. A signature that has a time is made again with the present time, because the receiver only
    accepts the last five minutes, and the host may have been asleep. It is made only if the first signature is right.

    Args:
        message: the message.
        body: the body of the delivery.
        secrets: the secrets of webhooks, by the names of repositories.
        now: seconds since 1970.

    Raises:
        UnreadableMessageError: the secret that the delivery came with was removed.
    """
    headers = {name.lower(): text for name, text in message.headers.items() if name.lower() not in _OF_THE_CONNECTION}
    if message.token_of is not None:
        if message.token_of not in secrets:
            raise UnreadableMessageError(f"the secret of {message.token_of} was removed after the push")
        headers[TOKEN] = secrets[message.token_of].encode().decode("latin-1")  # GitLab sends it as UTF-8
    headers |= _signed_now(headers, body, secrets, now)
    return [(_header(name), _header(text)) for name, text in headers.items()]


def _signed_now(headers: Mapping[str, str], body: bytes, secrets: Mapping[str, str], now: float) -> dict[str, str]:
    identity, moment = headers.get("webhook-id", ""), headers.get(_SIGNED_AT, "")
    first = StandardSignature(identity, moment, tuple(headers.get(_SIGNATURE, "").split()))
    if not moment.isascii() or not moment.isdecimal():
        return {}
    for secret in secrets.values():
        if first.holds(body, secret, float(moment)):
            present = str(int(now))
            return {_SIGNED_AT: present, _SIGNATURE: standard_signature(secret, identity, present, body)}
    return {}


def _header(text: str) -> bytes:
    """The bytes of a header. Each character is one byte. AWS may have decoded others from UTF-8."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def push_of(message: QueuedDelivery, body: bytes) -> Push | None:
    """The push in a delivery, for the report; None if it is not a push, or cannot be read."""
    try:
        delivery = read_delivery(message.headers, body)
        found = other_event(delivery) or event_of(delivery)
    except DockerciseError:
        return None
    return found if isinstance(found, Push) else None
