"""Requests, read as deliveries."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.hosts.kinds import HostKind
from dockercise_prefect.webhook.payload.claims import claimed_addresses
from dockercise_prefect.webhook.payload.delivery import MalformedError, kind_of, read_delivery
from tests.webhook.payloads import (
    Sent,
    gitea_push,
    gitea_sent,
    github_push,
    github_sent,
    gitlab_push,
    gitlab_sent,
    gitlab_signed,
)


@pytest.mark.parametrize(
    ("sent", "kind", "event", "identity"),
    [
        (github_sent(github_push(), identity="72d3162e"), HostKind.GITHUB, "push", "72d3162e"),
        (gitea_sent(gitea_push(), identity="f6266f16"), HostKind.GITEA, "push", "f6266f16"),
        (gitea_sent(gitea_push(), identity="f6266f17", name="Forgejo"), HostKind.GITEA, "push", "f6266f17"),
        (gitlab_sent(gitlab_push(), identity="4c2e1e5a"), HostKind.GITLAB, "Push Hook", "4c2e1e5a"),
    ],
)
def test_whose_delivery(sent: Sent, kind: HostKind, event: str, identity: str) -> None:
    """Kind, event and id are in the headers; Gitea also sends GitHub's headers, but its own come first."""
    delivery = read_delivery(sent.headers, sent.body)

    assert (delivery.kind, delivery.event, delivery.identity) == (kind, event, identity)


def test_old_gitlabs_ids() -> None:
    """If GitLab sends no id for retries, the id is made from the event's id and the body."""
    one, other = gitlab_push(), gitlab_push()

    def identity(payload: Any) -> str:
        sent = gitlab_sent(payload).without("idempotency-key").with_headers(x_gitlab_event_uuid="13792a34")
        return read_delivery(sent.headers, sent.body).identity

    assert identity(one) == identity(one)
    assert identity(one) != identity(other)


def test_a_signed_id_comes_first() -> None:
    """If an id is signed, the signed id counts."""
    sent = gitlab_signed(gitlab_push(), key=b"k").with_headers(idempotency_key="another", webhook_id="signed")

    assert read_delivery(sent.headers, sent.body).identity == "signed"


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (Sent(headers={}, body=b"{}"), "are all missing"),
        (github_sent({}).without("x-github-delivery"), "the delivery's id is missing"),
        (github_sent({}).with_headers(x_github_delivery="a b"), "the delivery's id is missing, or not plain"),
        (github_sent({}).with_headers(x_github_delivery="x" * 201), "the delivery's id is missing, or not plain"),
    ],
)
def test_what_is_no_delivery(sent: Sent, message: str) -> None:
    """Missing or wrong parts are reported without any text of the payload."""
    with pytest.raises(MalformedError) as raised:
        read_delivery(sent.headers, sent.body)

    assert message in raised.value.message


NAMES = ["x-github-event", "x-gitea-event", "x-gitlab-event", "x-github-delivery", "x-gitea-delivery", "idempotency-key"]
HEADERS = st.dictionaries(
    st.sampled_from([*NAMES, "content-type", "x-hub-signature-256", "webhook-signature", "x-gitlab-token"]),
    st.one_of(st.sampled_from(["push", "application/x-www-form-urlencoded"]), st.text(st.characters(max_codepoint=255))),
)


@given(headers=HEADERS, body=st.one_of(st.binary(), st.text(string.printable).map(str.encode)))
def test_any_bytes(headers: dict[str, str], body: bytes) -> None:
    """Any headers and any body give a delivery, or an error with the reason."""
    try:
        delivery = read_delivery(headers, body)
    except MalformedError:
        return

    assert delivery.kind is kind_of(headers)
    assert all(address.encode() for address in claimed_addresses(delivery))
    delivery.proven_by("secret", 0.0)
