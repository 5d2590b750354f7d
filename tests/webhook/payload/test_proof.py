"""Which deliveries are believed."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.webhook.payload.delivery import read_delivery
from dockercise_prefect.webhook.payload.proof import BodySignature, PlainToken, StandardSignature
from tests.webhook.payloads import (
    SECRET,
    Sent,
    gitea_push,
    gitea_sent,
    github_push,
    github_sent,
    gitlab_push,
    gitlab_sent,
    gitlab_signed,
    signature,
)

NOW = 1_800_000_000.0
KEY = b"0123456789abcdef0123456789abcdef"
SIGNING_TOKEN = f"whsec_{base64.b64encode(KEY).decode()}"


def proven(sent: Sent, secret: str = SECRET, now: float = NOW) -> bool:
    return read_delivery(sent.headers, sent.body).proven_by(secret, now) is not None


def test_githubs_own_vector() -> None:
    """The signature that GitHub's documentation gives for a body and a secret is accepted."""
    proof = BodySignature("757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")

    assert proof.holds(b"Hello, World!", "It's a Secret to Everybody", NOW)


@pytest.mark.parametrize(
    "sent",
    [
        github_sent(github_push()),
        github_sent(github_push(), form=True),
        gitea_sent(gitea_push()),
        gitea_sent(gitea_push(), name="Forgejo"),
        gitlab_sent(gitlab_push()),
    ],
)
def test_the_right_secret_is_believed(sent: Sent) -> None:
    """A delivery is believed with the secret that it was signed with, and with no other secret."""
    assert proven(sent)
    assert not proven(sent, SECRET + "!")
    assert not proven(sent, "x")


@pytest.mark.parametrize(
    ("sent", "header"),
    [
        (github_sent(github_push()), "x-hub-signature-256"),
        (gitea_sent(gitea_push()), "x-gitea-signature"),
        (gitlab_sent(gitlab_push()), "x-gitlab-token"),
    ],
)
def test_unsigned_is_not_believed(sent: Sent, header: str) -> None:
    """A delivery without its signature has no proof, whatever headers of other hosts it has."""
    bare = sent.without(header)

    assert read_delivery(bare.headers, bare.body).proofs == ()


@pytest.mark.parametrize("text", ["sha256=", "sha1=" + "0" * 40, "0" * 64, "sha256=é", "sha256=" + "0" * 64, "="])
def test_odd_signatures_are_not_believed(text: str) -> None:
    """A signature with another algorithm or another form does not count."""
    assert not proven(github_sent(github_push()).with_headers(x_hub_signature_256=text))


def test_another_body_is_not_believed() -> None:
    """A signature is valid for its own body only."""
    one, other = github_sent(github_push()), github_sent(github_push())
    mixed = Sent(headers=one.headers, body=other.body)

    assert not proven(mixed)


def test_standard_webhooks() -> None:
    """GitLab's signing token is believed; the key is the decoded base64."""
    sent = gitlab_signed(gitlab_push(), key=KEY, now=NOW)

    assert proven(sent, SIGNING_TOKEN)
    assert not proven(sent, SECRET)


def test_a_signing_token_that_is_no_base64() -> None:
    """A signing token that is not base64 is used as the key without decoding."""
    assert proven(gitlab_signed(gitlab_push(), key=SECRET.encode(), now=NOW), SECRET)


@pytest.mark.parametrize("late", [-301, 301])
def test_an_old_signature_is_not_believed(late: float) -> None:
    """A delivery whose signed time is more than five minutes off is a replay."""
    sent = gitlab_signed(gitlab_push(), key=KEY, now=NOW + late)

    assert not proven(sent, SIGNING_TOKEN)


@pytest.mark.parametrize("moment", ["", "soon", "-1", "1e9", "٣"])
def test_odd_times_are_not_believed(moment: str) -> None:
    """A time that is not a number does not count."""
    sent = gitlab_signed(gitlab_push(), key=KEY, now=NOW).with_headers(webhook_timestamp=moment)

    assert not proven(sent, SIGNING_TOKEN)


def test_several_signatures() -> None:
    """While a key is being changed there are two signatures; one valid signature is enough."""
    sent = gitlab_signed(gitlab_push(), key=KEY, now=NOW)
    both = sent.with_headers(webhook_signature=f"v1,AAAA v2,xyz {sent.headers['webhook-signature']}")

    assert proven(both, SIGNING_TOKEN)


def test_whsec_alone_is_no_key() -> None:
    """A secret that consists of the prefix alone does not accept signatures that are made with an empty key."""
    assert not proven(gitlab_signed(gitlab_push(), key=b"\0", now=NOW), "whsec_")


@given(body=st.binary(), secret=st.text(min_size=1), text=st.text(st.characters(max_codepoint=255)))
def test_garbage_never_holds(body: bytes, secret: str, text: str) -> None:
    """Whatever the header holds, nothing is believed and nothing breaks."""
    if any("\ud800" <= character <= "\udfff" for character in secret):
        return

    assert not BodySignature(text).holds(body, secret, NOW) or text.lower() == signature(body, secret)
    assert not StandardSignature(text, str(int(NOW)), (text, f"v1,{text}")).holds(body, secret, NOW)
    assert PlainToken(text.encode("latin-1")).holds(body, secret, NOW) is (text.encode("latin-1") == secret.encode())
