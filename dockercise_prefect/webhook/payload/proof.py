"""Signatures of deliveries: the proof that the sender knows the secret. All comparisons take constant time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

CLOCKS_APART = 300
"""Seconds that a signed time may be off (Standard Webhooks recommends five minutes)."""

_KEY_PREFIX = "whsec_"


class Proof(Protocol):
    """One way to prove that the sender knows the secret.

    Attributes:
        body_alone: whether the body is signed and the delivery's id is not. Then a repeated body is a replay, because an
            attacker who captured the request can send it under any id.
    """

    @property
    def body_alone(self) -> bool: ...

    def holds(self, body: bytes, secret: str, now: float) -> bool:
        """Whether the sender knew the secret.

        Args:
            body: the request's body as received.
            secret: the secret; never empty.
            now: seconds since 1970.
        """


@dataclass(frozen=True, slots=True)
class BodySignature:
    """The signature of GitHub and Gitea: HMAC-SHA256 of the body with the secret as key, in hexadecimal."""

    digest: str
    body_alone: bool = True

    def holds(self, body: bytes, secret: str, now: float) -> bool:
        del now
        expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), self.digest.lower().encode())


@dataclass(frozen=True, slots=True)
class PlainToken:
    """GitLab's `X-Gitlab-Token`: the secret itself, as the bytes of a header."""

    token: bytes
    body_alone: bool = False

    def holds(self, body: bytes, secret: str, now: float) -> bool:
        del body, now
        return hmac.compare_digest(secret.encode(), self.token)


@dataclass(frozen=True, slots=True)
class StandardSignature:
    """GitLab's signing token, by the Standard Webhooks specification: HMAC-SHA256 of `id.timestamp.body`, in base64.

    The key is the secret without `whsec_`, decoded from base64. A secret that is not base64 is used as the key unchanged.
    """

    identity: str
    timestamp: str
    signatures: tuple[str, ...]
    body_alone: bool = False

    def holds(self, body: bytes, secret: str, now: float) -> bool:
        if not re.fullmatch(r"[0-9]{1,12}", self.timestamp) or abs(now - int(self.timestamp)) > CLOCKS_APART:
            return False
        held = False
        for key in _keys(secret):
            expected = _signature(key, self.identity, self.timestamp, body)
            for signature in self.signatures:
                version, _, value = signature.partition(",")
                held |= version == "v1" and hmac.compare_digest(expected, value.encode())
        return held


def standard_signature(secret: str, identity: str, timestamp: str, body: bytes) -> str:
    """The signature that `StandardSignature` accepts, as the value of the header `webhook-signature`.

    Args:
        secret: the signing token.
        identity: the delivery's id.
        timestamp: when it is sent, in seconds since 1970.
        body: the body of the request.
    """
    *_, key = _keys(secret)
    return f"v1,{_signature(key, identity, timestamp, body).decode()}"


def _signature(key: bytes, identity: str, timestamp: str, body: bytes) -> bytes:
    made = hmac.new(key, f"{identity}.{timestamp}.".encode(), hashlib.sha256)
    made.update(body)
    return base64.b64encode(made.digest())


def _keys(secret: str) -> Iterator[bytes]:
    yield secret.encode()
    try:
        decoded = base64.b64decode(secret.removeprefix(_KEY_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return
    if decoded:  # an empty key would be known to everyone
        yield decoded
