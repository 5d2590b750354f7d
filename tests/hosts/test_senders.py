"""Commit statuses, sent to each kind of host."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from dockercise_prefect.hosts.kinds import HostKind
from dockercise_prefect.hosts.senders import open_statuses
from dockercise_prefect.hosts.statuses import CommitState, CommitStatus, OpenStatuses, StatusLaterError, StatusRefusedError
from tests.support.hosts.github_server import ENTERPRISE, TOKEN, Failure, running_github
from tests.support.hosts.status_host import StatusHost, running_host

COMMIT = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
STATUS = CommitStatus(
    repository="acme/infra",
    commit=COMMIT,
    state=CommitState.FAILURE,
    description="check failed",
    target_url="https://prefect.example.org/runs/flow-run/1",
    context="dockercise/infra",
)
OTHERS = (HostKind.GITEA, HostKind.GITLAB)


@pytest.fixture
def host() -> Iterator[StatusHost]:
    """A host that accepts everything."""
    with running_host() as host:
        yield host


def test_gitea_is_told(host: StatusHost) -> None:
    """Gitea receives GitHub's words, below its own path, with the token in a header."""
    open_statuses(HostKind.GITEA, host.site, TOKEN).send(STATUS)

    (taken,) = host.taken
    assert taken.path == f"/api/v1/repos/acme/infra/statuses/{COMMIT}"
    assert taken.headers["authorization"] == f"token {TOKEN}"
    assert taken.body == {
        "state": "failure",
        "description": "check failed",
        "target_url": STATUS.target_url,
        "context": "dockercise/infra",
    }


def test_gitlab_is_told(host: StatusHost) -> None:
    """GitLab receives its own words, and the path of a project in nested groups as one encoded word."""
    open_statuses(HostKind.GITLAB, host.site, TOKEN).send(replace(STATUS, repository="acme/team/infra"))

    (taken,) = host.taken
    assert taken.path == f"/api/v4/projects/acme%2Fteam%2Finfra/statuses/{COMMIT}"
    assert taken.headers["private-token"] == TOKEN
    assert taken.body == {
        "state": "failed",
        "name": "dockercise/infra",
        "description": "check failed",
        "target_url": STATUS.target_url,
    }


def test_github_is_told() -> None:
    """A GitHub other than github.com has its API below its own site."""
    with running_github(ENTERPRISE) as server:
        server.host("acme/infra")

        open_statuses(HostKind.GITHUB, server.api.removesuffix("/api/v3"), TOKEN).send(STATUS)

        assert [status["state"] for status in server.repositories["acme/infra"].statuses] == ["failure"]
        assert server.wrong == []


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (HostKind.GITEA, ["pending", "success", "failure", "error"]),
        (HostKind.GITLAB, ["pending", "success", "failed", "failed"]),
    ],
)
def test_every_state_has_a_word(host: StatusHost, kind: HostKind, words: list[str]) -> None:
    """Each state is sent in the host's own words."""
    for state in CommitState:
        open_statuses(kind, host.site, TOKEN).send(replace(STATUS, state=state))

    assert [taken.body["state"] for taken in host.taken] == words


@pytest.mark.parametrize("kind", OTHERS)
def test_no_page_to_link(host: StatusHost, kind: HostKind) -> None:
    """A status without a run has no link."""
    open_statuses(kind, host.site, TOKEN).send(replace(STATUS, target_url=None))

    assert "target_url" not in host.taken[0].body


def test_long_link_is_left_out(host: StatusHost) -> None:
    """A link that is too long for GitLab is left out, and the status is still sent."""
    open_statuses(HostKind.GITLAB, host.site, TOKEN).send(replace(STATUS, target_url="https://example.org/" + "x" * 240))

    assert "target_url" not in host.taken[0].body


@pytest.mark.parametrize("status", [429, 500, 502, 503, None])
@pytest.mark.parametrize("kind", OTHERS)
def test_host_without_time(host: StatusHost, kind: HostKind, status: int | None) -> None:
    """A failure that may end later is reported as temporary, without token and body."""
    host.status, host.answer = status, {"message": "the body"}

    with pytest.raises(StatusLaterError) as failed:
        open_statuses(kind, host.site, TOKEN).send(STATUS)

    assert TOKEN not in str(failed.value)
    assert "the body" not in str(failed.value)


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 422])
@pytest.mark.parametrize("kind", OTHERS)
def test_host_that_refuses(host: StatusHost, kind: HostKind, status: int) -> None:
    """A final failure is reported as final; a redirection is not followed, since it would send the token to another place."""
    host.status, host.answer, host.headers = status, {"message": "the body"}, {"Location": f"{host.site}/elsewhere"}

    with pytest.raises(StatusRefusedError, match="does not accept a commit status") as refused:
        open_statuses(kind, host.site, TOKEN).send(STATUS)

    assert TOKEN not in str(refused.value)
    assert "the body" not in str(refused.value)
    assert len(host.taken) == 1


@pytest.mark.parametrize(
    ("state", "transition"),
    [
        (CommitState.PENDING, ":enqueue from :pending"),
        (CommitState.PENDING, ":enqueue from :running"),
        (CommitState.SUCCESS, ":success from :success"),
        (CommitState.ERROR, ":drop from :failed"),
    ],
)
def test_same_status_twice(host: StatusHost, state: CommitState, transition: str) -> None:
    """GitLab refuses a status that it already shows; that is not a failure."""
    host.status = 400
    host.answer = {"message": f"Cannot transition status via {transition} (Reason(s): Status cannot transition)"}

    open_statuses(HostKind.GITLAB, host.site, TOKEN).send(replace(STATUS, state=state))


def test_status_that_contradicts(host: StatusHost) -> None:
    """GitLab refuses to change how a job ended; that is a failure."""
    host.status = 400
    host.answer = {"message": "Cannot transition status via :drop from :success (Reason(s): Status cannot transition)"}

    with pytest.raises(StatusRefusedError):
        open_statuses(HostKind.GITLAB, host.site, TOKEN).send(STATUS)


@pytest.mark.parametrize(("status", "error"), [(500, StatusLaterError), (404, StatusRefusedError), (422, StatusRefusedError)])
def test_github_fails(status: int, error: type[Exception]) -> None:
    """GitHub's failures have the same two kinds, and do not contain its answer."""
    with running_github(ENTERPRISE) as server:
        body = {"message": "the body", "documentation_url": "https://docs.github.com"}
        server.fail(Failure("POST", ".*", status, body=body))

        with pytest.raises(error) as failed:
            open_statuses(HostKind.GITHUB, server.api.removesuffix("/api/v3"), TOKEN).send(STATUS)

    assert "the body" not in str(failed.value)
    assert TOKEN not in str(failed.value)


@pytest.mark.parametrize("kind", HostKind)
@pytest.mark.parametrize("token", ["", "two words\n1", "umläut"])
def test_no_token(host: StatusHost, kind: HostKind, token: str) -> None:
    """A text that cannot be a token is never sent, and not shown."""
    with pytest.raises(StatusRefusedError, match="does not contain a token") as refused:
        open_statuses(kind, host.site, token).send(STATUS)

    assert not token or token not in str(refused.value)
    assert host.taken == []


@pytest.mark.parametrize("kind", HostKind)
def test_nobody_there(kind: HostKind) -> None:
    """A host that is down is a temporary failure."""
    with pytest.raises(StatusLaterError, match=r"no answer from 127\.0\.0\.1:9"):
        open_statuses(kind, "http://127.0.0.1:9", TOKEN).send(STATUS)


@pytest.mark.parametrize("kind", OTHERS)
def test_no_log_holds_the_token(host: StatusHost, kind: HostKind, caplog: pytest.LogCaptureFixture) -> None:
    """With all logs on, the token is not in them."""
    with caplog.at_level(logging.DEBUG):
        open_statuses(kind, host.site, TOKEN).send(STATUS)

    assert "POST" in caplog.text
    assert TOKEN not in caplog.text


def test_senders_are_shown_without_their_token() -> None:
    """Printing a sender shows no secret."""
    opened: OpenStatuses = open_statuses

    assert [kind for kind in HostKind if TOKEN in repr(opened(kind, "https://example.org", TOKEN))] == []
