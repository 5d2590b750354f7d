"""What the client for GitHub reads of a token's user, against a server that checks every request."""

from __future__ import annotations

import pytest

from dockercise_prefect.hosts.github import GitHub, OfferedRepository, User
from tests.support.hosts.github_server import TOKEN, Failure, GitHubServer


@pytest.fixture
def github(github_server: GitHubServer) -> GitHub:
    """A client whose token has all rights."""
    return GitHub(TOKEN, github_server.api, "GITHUB_TOKEN")


@pytest.mark.parametrize(
    ("told", "scopes"), [(None, ()), ("", ()), ("repo", ("repo",)), ("admin:repo_hook, repo", ("admin:repo_hook", "repo"))]
)
def test_user_is_read(github_server: GitHubServer, github: GitHub, told: str | None, scopes: tuple[str, ...]) -> None:
    """The token's user is read, with the scopes of the token if GitHub tells them."""
    github_server.scopes = told

    assert github.user() == User("octocat", scopes)


def test_administered_repositories(github_server: GitHubServer, github: GitHub) -> None:
    """The repositories that can be connected are listed on all pages, those with the newest push first."""
    github_server.per_page = 2
    for number in range(4):
        github_server.host(f"acme/shop{number}", private=number > 0, pushed=f"2026-12-0{number + 1}T18:00:00Z")
    github_server.host("acme/of-others", admin=False)
    github_server.host("acme/old", archived=True)

    offered = github.administered()

    assert [one.name for one in offered.repositories] == ["acme/shop3", "acme/shop2", "acme/shop1", "acme/shop0", "acme/infra"]
    assert offered.repositories[3] == OfferedRepository("acme/shop0", "public", "2026-12-01")
    assert offered.is_complete


def test_more_repositories_than_are_read(github_server: GitHubServer, github: GitHub) -> None:
    """Of a user with a great many repositories, ten pages are read, and the list says that it is not complete."""
    github_server.per_page = 1
    for number in range(10):
        github_server.host(f"acme/shop{number}")

    offered = github.administered()

    assert (len(offered.repositories), offered.is_complete) == (10, False)
    assert len(github_server.requests) == 10


def test_organisation_with_single_sign_on(github_server: GitHubServer, github: GitHub) -> None:
    """If GitHub leaves out organisations that require single sign-on, the list says that it is not complete."""
    headers = {"X-GitHub-SSO": "partial-results; organizations=21955855,20582480"}
    github_server.fail(Failure("GET", "/user/repos", 200, body=[], headers=headers))

    assert not github.administered().is_complete
