"""The names of the parts of a connection, and taking back the steps of `connect`."""

from __future__ import annotations

import pytest

from dockercise_prefect.connect.connection import BlockNames, checked_webhook_url, key_title, own_keys, webhook_of
from dockercise_prefect.connect.deploy_key import make_deploy_key
from dockercise_prefect.connect.undo import undone_on_failure
from dockercise_prefect.errors import HostError, UsageError
from dockercise_prefect.hosts.github import KnownKey


def test_blocks_are_called_after_the_repository() -> None:
    """A plain name is a part of the names of its blocks, unchanged."""
    blocks = BlockNames.of("github.com", "Acme/Infra")

    assert (blocks.key, blocks.webhook, blocks.token) == (
        "dockercise-acme-infra-key",
        "dockercise-acme-infra-webhook",
        "dockercise-acme-infra-token",
    )


def test_no_two_repositories_share_a_block() -> None:
    """Names that would look the same are kept distinct, and Prefect accepts all of them."""
    places = [
        ("github.com", "acme/infra"),
        ("github.com", "acme/infra.web"),
        ("github.com", "acme/infra-web"),
        ("github.com", "acme/infra_web"),
        ("github.com", "acme-infra/web"),
        ("github.com", "acme/.infra"),
        ("github.example.com", "acme/infra"),
        ("github.example.org", "acme/infra"),
    ]

    keys = [BlockNames.of(host, name).key for host, name in places]

    assert len(set(keys)) == len(places)
    assert [key for key in keys if not key.replace("-", "").isalnum() or key != key.lower()] == []


def test_own_keys() -> None:
    """A deploy key is ours if we have its private half, or if its title is ours."""
    ours, theirs = make_deploy_key(), make_deploy_key()
    kept = KnownKey(1, "renamed by somebody", ours.public)
    titled = KnownKey(2, key_title("https://hooks.example.org"), theirs.public)
    other = KnownKey(3, key_title("https://other.example.org"), make_deploy_key().public)

    assert own_keys([kept, titled, other], ours, "https://hooks.example.org") == (kept, titled)
    assert own_keys([kept, titled, other], None, None) == ()
    assert (webhook_of(titled), webhook_of(kept)) == ("https://hooks.example.org", None)


@pytest.mark.parametrize("url", ["", "hooks.example.org", "ftp://hooks.example.org", "https://", "https://a:b", "https://a b"])
def test_no_address(url: str) -> None:
    """An address that cannot receive pushes is refused."""
    with pytest.raises(UsageError, match="is not an address that pushes can be sent to"):
        checked_webhook_url(url)


def test_newest_step_is_taken_back_first() -> None:
    """Steps are taken back in reverse order, even if one of them fails; the error is raised again."""
    done: list[str] = []
    told: list[str] = []

    def fail() -> None:
        raise HostError("GitHub failed")

    def steps() -> None:
        with undone_on_failure(told.append) as undo:
            undo.later("the first", lambda: done.append("first"))
            undo.later("what was not there", lambda: False)
            undo.later("the third", fail)
            undo.cannot("the fourth stays")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        steps()

    assert done == ["first"]
    assert told == ["NOT undone: the fourth stays", "NOT undone: the third: GitHub failed", "undone: the first"]


def test_nothing_is_taken_back_of_what_succeeds() -> None:
    """If all steps succeed, all of them stay."""
    done: list[str] = []

    with undone_on_failure(done.append) as undo:
        undo.later("the first", lambda: done.append("first"))

    assert done == []
