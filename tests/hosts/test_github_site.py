"""The addresses of a GitHub."""

from __future__ import annotations

import pytest

from dockercise_prefect.errors import UsageError
from dockercise_prefect.hosts.github_site import GitHubSite, login_host


@pytest.mark.parametrize(
    ("host", "web", "api"),
    [
        ("github.com", "https://github.com", "https://api.github.com"),
        ("GitHub.com", "https://github.com", "https://api.github.com"),
        ("acme.ghe.com", "https://acme.ghe.com", "https://api.acme.ghe.com"),
        ("github.example.com", "https://github.example.com", "https://github.example.com/api/v3"),
        ("github.example.com:8443", "https://github.example.com:8443", "https://github.example.com:8443/api/v3"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080", "http://127.0.0.1:8080/api/v3"),
    ],
)
def test_addresses_of_a_host(host: str, web: str, api: str) -> None:
    """The name of a GitHub leads to the addresses of its pages and its API, and the API leads back to the name."""
    site = GitHubSite.of(host)

    assert (site.web, site.api) == (web, api)
    assert login_host(site.api) == site.host == host.lower()


@pytest.mark.parametrize(
    "host", ["", "https://github.com", "github.com/acme", "me@github.com", "-a", "a b", "../x", "github.com:"]
)
def test_no_host(host: str) -> None:
    """A text that is not the name of a host is refused."""
    with pytest.raises(UsageError, match="is not the name of a host"):
        GitHubSite.of(host)
