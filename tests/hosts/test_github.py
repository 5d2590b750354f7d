"""The client for GitHub, against a server that checks every request against GitHub's own description."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

import pytest

from dockercise_prefect.connect.deploy_key import make_deploy_key
from dockercise_prefect.errors import HostError, HostRefusedError, UsageError
from dockercise_prefect.hosts.github import GitHub, KnownHook
from dockercise_prefect.hosts.github_errors import NoRepositoryError
from dockercise_prefect.hosts.statuses import CommitState, CommitStatus
from tests.support.hosts.github_server import ENTERPRISE, HOST_KEY, TOKEN, Failure, GitHubServer, running_github

SECRET = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
URL = "https://hooks.example.org"
STATUS = CommitStatus(
    repository="acme/infra",
    commit="6dcb09b5b57875f334f61aebed695e2e4193db5e",
    state=CommitState.SUCCESS,
    description="passed in 12 s",
    target_url="https://prefect.example.org/runs/flow-run/1",
    context="dockercise/infra",
)


@pytest.fixture
def github(github_server: GitHubServer) -> GitHub:
    """A client whose token has all rights."""
    return GitHub(TOKEN, github_server.api, "GITHUB_TOKEN")


def test_repository_is_read(github: GitHub) -> None:
    """Our data about a repository is the data in GitHub's answer."""
    repository = github.repository("acme/infra")

    assert repository.full_name == "acme/infra"
    assert repository.default_branch == "main"
    assert repository.ssh_url == "git@github.com:acme/infra.git"
    assert repository.visibility == "private"
    assert repository.administered


def test_renamed_repository_is_found(github_server: GitHubServer, github: GitHub) -> None:
    """A repository that was renamed is found under its old name, and the answer has its present name."""
    github_server.moved["acme/old"] = "acme/infra"

    assert github.repository("acme/old").full_name == "acme/infra"


def test_repository_of_a_managed_account(github_server: GitHubServer, github: GitHub) -> None:
    """The names of accounts that a company manages contain `_`, and their repositories are found."""
    github_server.host("octocat_acme/infra")

    assert github.repository("octocat_acme/infra").full_name == "octocat_acme/infra"


def test_deploy_key_reads_only(github_server: GitHubServer, github: GitHub) -> None:
    """An added deploy key can read but not write, and can be removed once."""
    pair = make_deploy_key()

    number = github.add_key("acme/infra", "a title", pair.public)

    assert github_server.repositories["acme/infra"].keys[number]["read_only"] is True
    assert [(key.id, key.title, key.public) for key in github.keys("acme/infra")] == [(number, "a title", pair.public)]
    assert github.remove_key("acme/infra", number) is True
    assert github.remove_key("acme/infra", number) is False


def test_hook_sends_signed_pushes(github_server: GitHubServer, github: GitHub) -> None:
    """A webhook sends pushes as JSON, signed, over a verified connection; it can be set again, and removed once."""
    number = github.add_hook("acme/infra", URL, "another")
    github.set_hook("acme/infra", number, URL, SECRET)

    hook = github_server.repositories["acme/infra"].hooks[number]
    assert hook["config"] == {"url": URL, "content_type": "json", "secret": SECRET, "insecure_ssl": "0"}
    assert (hook["events"], hook["active"]) == (["push"], True)
    assert github.hooks("acme/infra") == (KnownHook(number, URL),)
    assert github.remove_hook("acme/infra", number) is True
    assert github.remove_hook("acme/infra", number) is False


def test_all_pages_are_read(github_server: GitHubServer, github: GitHub) -> None:
    """A list that GitHub splits into pages is read to its end."""
    github_server.per_page = 2
    added = [github.add_hook("acme/infra", f"{URL}/{number}", SECRET) for number in range(5)]

    assert [hook.id for hook in github.hooks("acme/infra")] == added


def test_status_is_shown(github_server: GitHubServer, github: GitHub) -> None:
    """A commit status is one request, with everything that the page of the commit shows."""
    github.send(STATUS)

    (shown,) = github_server.repositories["acme/infra"].statuses
    assert shown == {
        "sha": STATUS.commit,
        "state": "success",
        "description": "passed in 12 s",
        "target_url": STATUS.target_url,
        "context": "dockercise/infra",
    }
    assert len(github_server.requests) == 1


def test_host_keys_are_read(github: GitHub) -> None:
    """The host keys that GitHub publishes for its ssh server are read."""
    assert github.host_keys() == (HOST_KEY,)


def test_enterprise_is_spoken_with() -> None:
    """A GitHub Enterprise, whose API is below a path and has its own description, accepts the same calls."""
    with running_github(ENTERPRISE) as server:
        server.host("acme/infra")
        github = GitHub(TOKEN, server.api)

        name = github.repository("acme/infra").full_name
        key = github.add_key(name, "a title", make_deploy_key().public)
        hook = github.add_hook(name, URL, SECRET)
        github.set_hook(name, hook, URL, SECRET)
        github.send(STATUS)

        assert github.host_keys() == ()
        assert (github.remove_key(name, key), github.remove_hook(name, hook)) == (True, True)
        assert server.wrong == []


CALLS: dict[str, Callable[[GitHub], Any]] = {
    "GET /repos/acme/infra": lambda github: github.repository("acme/infra"),
    "GET /repos/acme/infra/keys": lambda github: github.keys("acme/infra"),
    "POST /repos/acme/infra/keys": lambda github: github.add_key("acme/infra", "a title", "ssh-ed25519 AAAA"),
    "DELETE /repos/acme/infra/keys/7": lambda github: github.remove_key("acme/infra", 7),
    "GET /repos/acme/infra/hooks": lambda github: github.hooks("acme/infra"),
    "POST /repos/acme/infra/hooks": lambda github: github.add_hook("acme/infra", URL, SECRET),
    "PATCH /repos/acme/infra/hooks/7": lambda github: github.set_hook("acme/infra", 7, URL, SECRET),
    "DELETE /repos/acme/infra/hooks/7": lambda github: github.remove_hook("acme/infra", 7),
    f"POST /repos/acme/infra/statuses/{STATUS.commit}": lambda github: github.send(STATUS),
    "GET /meta": lambda github: github.host_keys(),
    "GET /user": lambda github: github.user(),
    "GET /user/repos": lambda github: github.administered(),
}


@pytest.mark.parametrize("call", CALLS)
def test_wrong_token(github_server: GitHubServer, call: str) -> None:
    """For every call with a wrong token, the message names the source of the token, but not the token."""
    wrong = "ghp_wrongTokenOfTheTests0123456789"

    with pytest.raises(HostRefusedError) as refused:
        CALLS[call](GitHub(wrong, github_server.api, "GITHUB_TOKEN"))

    assert "does not accept the token in GITHUB_TOKEN" in refused.value.message
    assert wrong not in str(refused.value)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [500, 502, None])
def test_failing_github(github_server: GitHubServer, github: GitHub, call: str, status: int | None) -> None:
    """Every failure of GitHub or of the connection allows another attempt, and the message holds no secret."""
    method, path = call.split()
    github_server.fail(Failure(method, path, status))

    with pytest.raises(HostError) as failed:
        CALLS[call](github)

    assert not isinstance(failed.value, HostRefusedError)
    assert re.search("failed to|no answer from", failed.value.message)
    assert not re.search(f"{TOKEN}|{SECRET}", str(failed.value))


def test_reading_is_tried_again(github_server: GitHubServer, github: GitHub) -> None:
    """After a temporary failure, a call that may be repeated is tried again, and any other call is made only once."""
    github_server.fail(Failure("GET", "/repos/acme/infra/.*", 502, times=1))
    github_server.fail(Failure("POST", "/repos/acme/infra/hooks", 502, times=1))

    assert github.keys("acme/infra") == ()
    with pytest.raises(HostError):
        github.add_hook("acme/infra", URL, SECRET)

    assert github_server.written() == [("POST", "/repos/acme/infra/hooks")]


@pytest.mark.parametrize(
    ("call", "right"),
    [
        ("GET /repos/acme/infra/keys", "Administration: read and write"),
        ("POST /repos/acme/infra/keys", "Administration: read and write"),
        ("GET /repos/acme/infra/hooks", "Webhooks: read and write"),
        ("POST /repos/acme/infra/hooks", "admin:repo_hook"),
        ("PATCH /repos/acme/infra/hooks/7", "Webhooks: read and write"),
        (f"POST /repos/acme/infra/statuses/{STATUS.commit}", "repo:status"),
    ],
)
@pytest.mark.parametrize("status", [403, 404])
def test_missing_right(github_server: GitHubServer, github: GitHub, call: str, right: str, status: int) -> None:
    """If a token lacks a right, the message names the right; depending on the kind of token, GitHub answers 403 or 404."""
    method, path = call.split()
    body = {"message": "Resource not accessible by personal access token"}
    github_server.fail(Failure(method, path, status, body=body))

    with pytest.raises(HostRefusedError, match="the token in GITHUB_TOKEN is not allowed to") as refused:
        CALLS[call](github)

    assert right in str(refused.value)


def test_what_github_asks_for_is_said(github_server: GitHubServer, github: GitHub) -> None:
    """If GitHub names the missing right, the hint quotes it."""
    headers = {"X-Accepted-GitHub-Permissions": "administration=write"}
    github_server.fail(Failure("POST", ".*/keys", 403, body={"message": "Resource not accessible"}, headers=headers))

    with pytest.raises(HostRefusedError, match="requires administration=write, and says: Resource not accessible"):
        github.add_key("acme/infra", "a title", "ssh-ed25519 AAAA")


def test_single_sign_on(github_server: GitHubServer, github: GitHub) -> None:
    """If the organisation has not allowed the token yet, the message has the address for single sign-on."""
    headers = {"X-GitHub-SSO": "required; url=https://github.com/orgs/acme/sso?authorization_request=A"}
    github_server.fail(Failure("GET", ".*/hooks", 403, body={"message": "Resource protected"}, headers=headers))

    with pytest.raises(HostRefusedError, match=r"single sign-on(.|\n)*https://github.com/orgs/acme/sso"):
        github.hooks("acme/infra")


def test_single_sign_on_with_an_escape_sequence(github_server: GitHubServer, github: GitHub) -> None:
    """The address for single sign-on contains nothing that a terminal obeys."""
    headers = {"X-GitHub-SSO": "required; url=https://github.com/\x1b[2Jorgs"}
    github_server.fail(Failure("GET", ".*/hooks", 403, body={"message": "Resource protected"}, headers=headers))

    with pytest.raises(HostRefusedError) as refused:
        github.hooks("acme/infra")

    assert refused.value.hint == "authorise it at https://github.com/"


def test_unknown_repository(github: GitHub) -> None:
    """A repository that does not exist or is not visible has a different error than a missing right."""
    with pytest.raises(NoRepositoryError, match="has no repository acme/shop, or the token in GITHUB_TOKEN cannot see it"):
        github.repository("acme/shop")


def test_key_in_use(github: GitHub) -> None:
    """GitHub's reason for refusing a request is in the hint."""
    pair = make_deploy_key()
    github.add_key("acme/infra", "a title", pair.public)

    with pytest.raises(HostRefusedError, match="refused to add a deploy key to acme/infra") as refused:
        github.add_key("acme/infra", "a title", pair.public)

    assert refused.value.hint == "it says: key is already in use"


def test_hook_that_exists(github: GitHub) -> None:
    """GitHub refuses a second webhook to the same address, and the message has the reason."""
    github.add_hook("acme/infra", URL, SECRET)

    with pytest.raises(HostRefusedError, match="Hook already exists on this repository"):
        github.add_hook("acme/infra", URL, SECRET)


@pytest.mark.parametrize(
    ("status", "headers", "hint"),
    [
        (
            403,
            {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795689900"},
            "try again after 10:45 UTC on 26 November 2026",
        ),
        (429, {"Retry-After": "60"}, "try again in 60 seconds"),
        (403, {"Retry-After": "30"}, "try again in 30 seconds"),
        (403, {}, "try again in a few minutes"),
    ],
)
def test_rate_limit(github_server: GitHubServer, github: GitHub, status: int, headers: dict[str, str], hint: str) -> None:
    """The client does not wait for a rate limit; the message shows when to try again."""
    body = {"message": "API rate limit exceeded for user ID 1."}
    github_server.fail(Failure("GET", ".*/hooks", status, body=body, headers=headers))

    with pytest.raises(HostError, match="received too many requests") as failed:
        github.hooks("acme/infra")

    assert failed.value.hint == hint
    assert not isinstance(failed.value, HostRefusedError)
    assert len(github_server.requests) == 1


@pytest.mark.parametrize("body", [b"<html>a proxy</html>", b"{", b"[]", b"", {"name": "infra"}])
@pytest.mark.parametrize(
    "call", ["GET /repos/acme/infra", "POST /repos/acme/infra/hooks", "POST /repos/acme/infra/keys", "GET /user"]
)
def test_something_else_answers(github_server: GitHubServer, github: GitHub, call: str, body: Any) -> None:
    """An answer that cannot come from GitHub is an error."""
    method, path = call.split()
    github_server.fail(Failure(method, path, 200 if method == "GET" else 201, body=body))

    with pytest.raises(HostRefusedError, match="is not GitHub's API"):
        CALLS[call](github)
    github_server.wrong.clear()  # the test needs an answer that is not GitHub's


def test_redirection_elsewhere(github_server: GitHubServer, github: GitHub) -> None:
    """The token is not sent to another host, whatever an answer redirects to."""
    github_server.fail(Failure("GET", ".*", 301, body={}, headers={"Location": "https://elsewhere.example/repos/acme/infra"}))

    with pytest.raises(HostRefusedError, match="is not GitHub's API"):
        github.repository("acme/infra")


def test_nobody_there() -> None:
    """If no server listens at the address, the error names it and says that there was no answer."""
    with pytest.raises(HostError, match=r"no answer from 127\.0\.0\.1:9"):
        GitHub(TOKEN, "http://127.0.0.1:9").repository("acme/infra")


@pytest.mark.parametrize("token", ["", " ", "two words", "line\nbreak", "umläut"])
def test_no_token(token: str) -> None:
    """A text that cannot be a token is not sent anywhere, and not shown."""
    with pytest.raises(UsageError, match="GITHUB_TOKEN does not contain a token"):
        GitHub(token, origin="GITHUB_TOKEN")


@pytest.mark.parametrize(
    "api",
    [
        "github.example.com",
        "ftp://github.example.com",
        "https://me:pw@github.example.com",
        "https://github.example.com:port",
        "http://github.example.com",
        "https://github.example.com/?a=b",
    ],
)
def test_no_address(api: str) -> None:
    """An address that must not receive a token is refused, and the message does not show the password in it."""
    with pytest.raises(UsageError) as refused:
        GitHub(TOKEN, api)

    assert "pw" not in str(refused.value)


@pytest.mark.parametrize("name", ["acme", "acme/infra/x", "../infra", "acme/..", "-a/b", "acme/in fra", "acme/infra?x", ""])
def test_no_name(github_server: GitHubServer, github: GitHub, name: str) -> None:
    """A text that is not the name of a repository is never requested."""
    with pytest.raises(UsageError, match="is not a GitHub repository"):
        github.repository(name)

    assert github_server.requests == []


def test_no_log_holds_a_secret(github: GitHub, caplog: pytest.LogCaptureFixture) -> None:
    """With all logs on, neither the token nor the webhook's secret is in them."""
    with caplog.at_level(logging.DEBUG):
        number = github.add_hook("acme/infra", URL, SECRET)
        github.set_hook("acme/infra", number, URL, SECRET)
        with pytest.raises(HostError):
            github.add_hook("acme/infra", URL, SECRET)

    assert "POST" in caplog.text
    assert not re.search(f"{TOKEN}|{SECRET}", caplog.text)
