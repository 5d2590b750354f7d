"""The repositories that a body claims, found without parsing it."""

from __future__ import annotations

import pytest

from dockercise_prefect.webhook.payload.claims import MOST_FIELDS, claimed_addresses
from dockercise_prefect.webhook.payload.delivery import read_delivery
from dockercise_prefect.webhook.payload.push import Push
from dockercise_prefect.webhook.payload.reading import event_of
from tests.webhook.payloads import (
    Sent,
    gitea_push,
    gitea_sent,
    github_events,
    github_examples,
    github_push,
    github_sent,
    gitlab_push,
    gitlab_sent,
)

LONG_COMMIT = {"message": "x" * 70_000, "added": [], "modified": [], "removed": []}


def claims(sent: Sent) -> frozenset[str]:
    return claimed_addresses(read_delivery(sent.headers, sent.body))


@pytest.mark.parametrize(
    "sent",
    [
        github_sent(github_push("Acme/Infra")),
        github_sent(github_push("Acme/Infra"), form=True),
        github_sent(
            github_push("Acme/Infra", commits=[{"message": "x" * 70_000, "added": [], "modified": [], "removed": []}] * 40)
        ),
        gitea_sent(gitea_push("acme/infra")),
        gitlab_sent(gitlab_push("acme/tools/infra")),
        gitlab_sent(gitlab_push("acme/tools/infra", site="https://example.org/gitlab")),
    ],
    ids=["github", "form", "long", "gitea", "gitlab", "below a path"],
)
def test_all_addresses_of_a_push(sent: Sent) -> None:
    """Every address that a push has after parsing is found before parsing."""
    found = claims(sent)
    push = event_of(read_delivery(sent.headers, sent.body))

    assert isinstance(push, Push)
    assert set(push.addresses) <= found


@pytest.mark.parametrize("event", github_events())
def test_all_of_githubs_examples(event: str) -> None:
    """The repository of each payload that GitHub publishes is found."""
    for example in github_examples(event):
        if example.get("repository"):
            assert f"github.com/{example['repository']['full_name']}".lower() in claims(github_sent(example, event=event))


@pytest.mark.parametrize(
    "body",
    [
        b'{"repository":{"clone_url":"https://github.com/acme/infra.git"}}',
        b'{\n  "repository": {\n    "clone_url" : "https://github.com/acme/infra.git"\n  }\n}',
        rb'{"repository": {"clone_url": "https:\/\/github.com\/acme\/infra.git"}}',
    ],
)
def test_spellings(body: bytes) -> None:
    """Blanks and escaped slashes are valid JSON, and are found too."""
    assert claims(Sent(headers=github_sent({}).headers, body=body)) == {"github.com/acme/infra"}


def test_texts_claim_nothing() -> None:
    """The content of a text, for example of a commit message, is not taken for a field."""
    text = '{"clone_url": "https://github.com/acme/infra"}'

    assert claims(github_sent({"message": text})) == frozenset()
    assert claims(github_sent({"message": text}, form=True)) == frozenset()


def test_the_search_is_bounded() -> None:
    """Only a limited number of addresses is read, however many a body has."""
    named = b",".join(b'"clone_url":"https://github.com/a/%d"' % number for number in range(MOST_FIELDS * 2))

    assert len(claims(Sent(headers=github_sent({}).headers, body=b"{%s}" % named))) == MOST_FIELDS


def test_an_address_across_two_steps() -> None:
    """An address is found at any position of a long body."""
    headers = github_sent({}).headers
    address = b'"clone_url":"https://github.com/acme/infra"'
    near = 1024 * 1024

    for start in range(near - 20, near):
        assert claims(Sent(headers=headers, body=b" " * start + address)) == {"github.com/acme/infra"}
