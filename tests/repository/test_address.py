"""Addresses of repositories: which are accepted and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.errors import UsageError
from dockercise_prefect.repository.address import parse_address


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/Acme/Infra",
        "https://github.com/acme/infra.git",
        "https://github.com:443/acme/infra/",
        "ssh://git@github.com/acme/infra.git",
        "git@github.com:acme/infra.git",
        "github.com:acme/infra",
    ],
)
def test_one_repository_has_one_place_whatever_way_it_is_reached_by(text: str, tmp_path: Path) -> None:
    """Host, path and name are the same; the address stays as it was written, for git."""
    address = parse_address(text, tmp_path)

    assert (address.host, address.path.lower(), address.name.lower()) == ("github.com", "acme/infra", "infra")
    assert address.url == text


def test_a_port_that_is_not_the_usual_one_makes_another_host(tmp_path: Path) -> None:
    """Two servers on one machine hold different repositories."""
    assert parse_address("https://git.example.org:8443/a/b", tmp_path).host == "git.example.org:8443"


def test_a_folder_is_made_absolute(tmp_path: Path) -> None:
    """A relative path would mean another folder in a worker."""
    address = parse_address("repositories/../infra.git", tmp_path)

    assert (address.url, address.path, address.name, address.kind) == (
        f"{tmp_path}/infra.git",
        f"{tmp_path}/infra",
        "infra",
        "file",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://user:hunter2@example.org/a/b", "would be logged"),
        ("https://ghp_token@example.org/a/b", "would be logged"),
        ("ssh://git:hunter2@example.org/a/b", "would be logged"),
        ("ext::sh -c evil", "ext:: addresses are not supported"),
        ("ext::evil", "ext:: addresses are not supported"),
        ("ftp://example.org/a", "ftp:// addresses are not supported"),
        ("--upload-pack=evil", "is not an address"),
        ("https://example.org", "does not name a repository"),
        ("https://example.org:port/a", "cannot be read"),
        ("https://example.org/a?token=hunter2", "cannot contain `?`"),
        ("file://elsewhere/a", "are for this machine"),
        (" ", "is not an address"),
    ],
)
def test_what_is_refused_is_said_without_its_secret(text: str, said: str, tmp_path: Path) -> None:
    """An address with a password, or one that git would run as a program, is refused, and its secret is not shown."""
    with pytest.raises(UsageError) as refused:
        parse_address(text, tmp_path)

    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert "ghp_token" not in str(refused.value)


@pytest.mark.parametrize("text", ["my shop", "~nobody-of-that-name/shop", "a:b/my shop"])
def test_a_folder_may_be_called_anything(text: str, tmp_path: Path) -> None:
    """Spaces are a part of the name, and `~` of an unknown user is a folder like any other."""
    address = parse_address(text, tmp_path)

    assert (address.url, address.kind) == (f"{tmp_path}/{text}", "file")
    assert parse_address(address.url, Path("/")) == address


def test_a_url_holds_no_space(tmp_path: Path) -> None:
    """A space is refused, since git would send the host a different path."""
    with pytest.raises(UsageError, match="contains a space"):
        parse_address("https://example.org/my shop", tmp_path)
