"""All spellings of a repository's address are the same address."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dockercise_prefect.webhook.payload.address import canonical, canonical_all, page_of


@pytest.mark.parametrize(
    "spelling",
    [
        "https://github.com/Acme/Infra",
        "https://github.com/acme/infra.git",
        "https://user:token@GitHub.com/acme/infra/",
        "https://github.com:443/acme/infra.git/",
        "git@github.com:acme/infra.git",
        "github.com:acme/infra",
        "ssh://git@github.com/acme/infra.git",
        "ssh://git@github.com:22/acme/infra",
        "git://github.com/acme/infra.git",
        "github.com/acme/infra",
        " https://github.com/acme/infra\n",
    ],
)
def test_spellings_of_one_address(spelling: str) -> None:
    """Scheme, user, usual port, letter case and ending do not change the repository."""
    assert canonical(spelling) == "github.com/acme/infra"


@pytest.mark.parametrize(
    ("spelling", "one"),
    [
        ("http://localhost:3000/acme/infra.git", "localhost:3000/acme/infra"),
        ("localhost:3000/acme/infra", "localhost:3000/acme/infra"),
        ("ssh://git@git.example.org:2222/acme/infra.git", "git.example.org:2222/acme/infra"),
        ("https://gitlab.com/acme/tools/infra.git", "gitlab.com/acme/tools/infra"),
        ("/srv/git/Infra.git", "/srv/git/Infra"),
        ("/srv/code/infra/.git", "/srv/code/infra"),
        ("file:///srv/git/Infra.git/", "/srv/git/Infra"),
        ("//srv//git/infra", "/srv/git/infra"),
    ],
)
def test_what_makes_another_address(spelling: str, one: str) -> None:
    """Ports and deeper paths make a difference, and so does letter case on disk."""
    assert canonical(spelling) == one


def test_hosts_are_compared_as_dns_knows_them() -> None:
    """Letters that look alike or have the same capitals make different hosts; a name and its ASCII form are the same host."""
    assert canonical("https://git.busineß.example/acme/infra") != canonical("https://git.business.example/acme/infra")
    assert canonical("https://git.BÜCHER.example/a/b") == canonical("https://git.xn--bcher-kva.example/a/b")
    assert canonical("https://gıthub.com/a/b") != canonical("https://github.com/a/b")
    assert canonical("https://github.com/acme/straße") != canonical("https://github.com/acme/strasse")


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("https://github.com/Acme/Infra.git", "https://github.com/acme/infra"),
        ("http://127.0.0.1:3000/acme/infra", "http://127.0.0.1:3000/acme/infra"),
        ("git@git.example.org:acme/infra.git", "https://git.example.org/acme/infra"),
        ("ssh://git@git.example.org:2222/acme/infra", "https://git.example.org/acme/infra"),
        ("file:///srv/git/infra.git", None),
        ("/srv/git/infra", None),
    ],
)
def test_where_a_page_is(address: str, page: str | None) -> None:
    """A repository's page has the scheme of its address; a repository that is reached by ssh has its page at https."""
    assert page_of(address) == page


@pytest.mark.parametrize(
    "text", ["", "github.com", "https://", "https:///acme/infra", "https://host:port/acme", "https://[::1/acme"]
)
def test_what_is_no_address(text: str) -> None:
    """Text without a host or a path is an error, and is left out of a list."""
    with pytest.raises(ValueError, match=r"."):
        canonical(text)

    assert canonical_all([text, "github.com/acme/infra"]) == {"github.com/acme/infra"}


@given(st.text())
@example("0:#")
def test_canonical_stays_as_it_is(text: str) -> None:
    """A canonical address stays the same when it is read again, and the only possible error is ValueError."""
    try:
        once = canonical(text)
    except ValueError:
        return

    assert canonical(once) == once


@given(st.from_regex(r"[a-z][a-z0-9.-]{0,8}(:[0-9]{2,4})?/[A-Za-z0-9._/-]{1,12}", fullmatch=True))
def test_canonical_of_likely_addresses(text: str) -> None:
    """This is also true for text that looks like an address."""
    try:
        once = canonical(text)
    except ValueError:
        return

    assert canonical(once) == once
