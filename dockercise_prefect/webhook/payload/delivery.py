"""Reads the headers of a request as a delivery of one of the hosts. The body is not parsed, and nothing is verified yet."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from dockercise_prefect.errors import WebhookError
from dockercise_prefect.hosts.kinds import HostKind
from dockercise_prefect.webhook.payload.proof import BodySignature, PlainToken, Proof, StandardSignature

_IDENTITY = re.compile(r"[\x21-\x7e]{1,200}")
_FORM = "application/x-www-form-urlencoded"


class MalformedError(WebhookError):
    """The request is not a delivery, or its payload lacks something that its event must have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a request says it is.

    Attributes:
        kind: the kind of host whose format it has.
        event: the host's name for what happened.
        identity: the delivery's id; the same when a host sends it again.
        proofs: its signatures and tokens; empty if it is unsigned.
        form: whether the payload is the field `payload` of a form, as GitHub sends it by default.
        body: the body as received.
    """

    kind: HostKind
    event: str
    identity: str
    proofs: tuple[Proof, ...]
    form: bool
    body: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the body, in hexadecimal."""
        return hashlib.sha256(self.body).hexdigest()

    def proven_by(self, secret: str, now: float) -> Proof | None:
        """The first proof that holds for a secret."""
        return next((proof for proof in self.proofs if proof.holds(self.body, secret, now)), None)


def read_delivery(headers: Mapping[str, str], body: bytes) -> Delivery:
    """Read the headers of a request.

    Args:
        headers: values by names in lower case, each byte one character.
        body: the whole body.

    Raises:
        MalformedError: the request is not a delivery of a known host.
    """
    kind = kind_of(headers)
    if kind is None:
        raise MalformedError(
            "not a delivery: X-GitHub-Event, X-Gitea-Event and X-Gitlab-Event are all missing",
            "only webhooks of GitHub, Gitea, Forgejo and GitLab are accepted here",
        )
    read = {HostKind.GITHUB: _github, HostKind.GITEA: _gitea, HostKind.GITLAB: _gitlab}[kind]
    event, identity, proofs = read(headers, body)
    if not _IDENTITY.fullmatch(identity):
        raise MalformedError(f"not a delivery: {kind}'s header with the delivery's id is missing, or not plain text")
    form = headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM
    return Delivery(kind=kind, event=event, identity=identity, proofs=proofs, form=form, body=body)


def kind_of(headers: Mapping[str, str]) -> HostKind | None:
    """The kind of host that a request comes from.

    Gitea and Forgejo send GitHub's headers in addition to their own, so their own headers are checked first.
    """
    if "x-gitea-event" in headers or "x-forgejo-event" in headers:
        return HostKind.GITEA
    if "x-gitlab-event" in headers:
        return HostKind.GITLAB
    return HostKind.GITHUB if "x-github-event" in headers else None


def _github(headers: Mapping[str, str], body: bytes) -> tuple[str, str, tuple[Proof, ...]]:
    del body
    algorithm, _, digest = headers.get("x-hub-signature-256", "").partition("=")
    proofs = (BodySignature(digest),) if algorithm == "sha256" and digest else ()
    return headers["x-github-event"], headers.get("x-github-delivery", ""), proofs


def _gitea(headers: Mapping[str, str], body: bytes) -> tuple[str, str, tuple[Proof, ...]]:
    del body
    ours = {name: headers.get(f"x-forgejo-{name}") or headers.get(f"x-gitea-{name}", "") for name in _GITEA_HEADERS}
    proofs = (BodySignature(ours["signature"]),) if ours["signature"] else ()
    return ours["event"], ours["delivery"], proofs


_GITEA_HEADERS = ("event", "delivery", "signature")


def _gitlab(headers: Mapping[str, str], body: bytes) -> tuple[str, str, tuple[Proof, ...]]:
    proofs: list[Proof] = []
    signed = headers.get("webhook-signature", "")
    if signed:
        moment = headers.get("webhook-timestamp", "")
        proofs.append(StandardSignature(headers.get("webhook-id", ""), moment, tuple(signed.split())))
    token = headers.get("x-gitlab-token", "")
    if token:
        proofs.append(PlainToken(token.encode("latin-1", errors="replace")))
    return headers["x-gitlab-event"], _gitlab_identity(headers, body), tuple(proofs)


def _gitlab_identity(headers: Mapping[str, str], body: bytes) -> str:
    """The id in GitLab's headers, the newest kind first.

    The last two kinds are older. Events that webhooks trigger one after the other may share an id of the last kind.
    """
    identity = headers.get("webhook-id") or headers.get("idempotency-key")
    if identity:
        return identity
    return f"{headers.get('x-gitlab-event-uuid', '')}:{hashlib.sha256(body).hexdigest()}"
