"""Pull requests of all hosts are read as the same value, and what a fork could pretend changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from dockercise_prefect.hosts.kinds import HostKind
from dockercise_prefect.webhook.payload.delivery import MalformedError, read_delivery
from dockercise_prefect.webhook.payload.event import event_from_json, other_event
from dockercise_prefect.webhook.payload.pull_request import PullRequest
from dockercise_prefect.webhook.payload.push import NoPush, Push
from dockercise_prefect.webhook.payload.reading import READ_HERE, event_of
from tests.webhook.payloads import Sent, gitea_sent, github_push, github_sent, gitlab_sent
from tests.webhook.pull_request_payloads import gitea_pull_request, github_pull_request, gitlab_merge_request

HEAD = "a" * 40


def read(sent: Sent) -> PullRequest:
    delivery = read_delivery(sent.headers, sent.body)
    found = other_event(delivery) or event_of(delivery)
    assert isinstance(found, PullRequest), found
    return found


def of_github(payload: dict[str, Any]) -> PullRequest:
    return read(github_sent(payload, event="pull_request"))


def nothing(sent: Sent) -> str:
    found = event_of(read_delivery(sent.headers, sent.body))
    assert isinstance(found, NoPush)
    return found.reason


def test_a_pull_request_on_github() -> None:
    """GitHub's payload has the repository, the number, both branches, the newest commit and whose branch it is."""
    found = of_github(github_pull_request("Acme/Infra", head=HEAD, source_branch="fix/one"))

    assert found == PullRequest(
        kind=HostKind.GITHUB,
        repository="Acme/Infra",
        addresses=("github.com/acme/infra",),
        number=7,
        head=HEAD,
        source="Acme/Infra",
        source_branch="fix/one",
        target_branch="main",
        is_fork=False,
        is_closed=False,
        sender="Codertocat",
    )


def test_a_pull_request_on_gitea() -> None:
    """Gitea's payload is read in the same way, by both of its names for the event; it also has the common commit."""
    opened = read(gitea_sent(gitea_pull_request(head=HEAD, source="eve/infra")).with_headers(x_gitea_event="pull_request"))
    pushed = gitea_sent(gitea_pull_request(action="synchronized", head=HEAD)).with_headers(x_gitea_event="pull_request_sync")

    assert (opened.kind, opened.number, opened.head, opened.source, opened.is_fork) == ("gitea", 7, HEAD, "eve/infra", True)
    assert (opened.merge_base, opened.has_conflicts) == ("2" * 40, False)
    assert not read(pushed).is_fork


def test_a_merge_request_on_gitlab() -> None:
    """GitLab's payload is read as the same value, with the number that people see."""
    payload = gitlab_merge_request(head=HEAD, source="eve/infra", merge_status="cannot_be_merged")

    found = read(gitlab_sent(payload, event="Merge Request Hook"))

    assert (found.repository, found.number, found.head) == ("acme/tools/infra", 7, HEAD)
    assert (found.source, found.source_branch, found.target_branch) == ("eve/infra", "topic", "main")
    assert (found.is_fork, found.is_closed, found.has_conflicts, found.sender) == (True, False, True, "root")


@pytest.mark.parametrize("action", ["synchronize", "reopened", "closed"])
def test_actions_that_count(action: str) -> None:
    """New commits and a reopened pull request start runs, a closed one ends them."""
    assert of_github(github_pull_request(action=action)).is_closed is (action == "closed")


def test_actions_that_do_not_count() -> None:
    """Labels, and changes of a title, start nothing; another target branch does."""
    labelled = github_sent(github_pull_request(action="labeled"), event="pull_request")
    titled = github_pull_request(action="edited") | {"changes": {"title": {"from": "Old"}}}
    retargeted = github_pull_request(action="edited") | {"changes": {"base": {"ref": {"from": "old"}}}}
    approved = gitlab_sent(gitlab_merge_request(action="approved"), event="Merge Request Hook")
    described = gitlab_sent(gitlab_merge_request(action="update"), event="Merge Request Hook")
    more = gitlab_sent(gitlab_merge_request(action="update", oldrev="b" * 40), event="Merge Request Hook")
    merged = gitlab_sent(gitlab_merge_request(action="merge"), event="Merge Request Hook")

    assert nothing(labelled) == "the action `labeled` of a pull request starts nothing"
    assert nothing(github_sent(titled, event="pull_request")).startswith("the action `edited`")
    assert [nothing(one).split("`")[1] for one in (approved, described)] == ["approved", "update"]
    assert [one.is_closed for one in (of_github(retargeted), read(more), read(merged))] == [False, False, True]


def test_a_fork_cannot_pretend_to_be_the_repository() -> None:
    """It is a fork whenever the host's id or name of the source differs, or the source was removed."""
    other_owner = github_pull_request(source="eve/infra")
    not_called_fork = github_pull_request(source="eve/infra")
    not_called_fork["pull_request"]["head"]["repo"]["fork"] = False
    same_name = github_pull_request(source="acme/infra")
    same_id = github_pull_request(source="eve/infra")
    same_id["pull_request"]["head"]["repo"]["id"] = same_id["repository"]["id"]
    same_label = github_pull_request(source="eve/infra")
    same_label["pull_request"]["head"]["label"] = "acme:topic"
    removed = github_pull_request()
    removed["pull_request"]["head"]["repo"] = None
    without_id = github_pull_request()
    del without_id["repository"]["id"], without_id["pull_request"]["head"]["repo"]["id"]
    without_id["pull_request"]["base"]["repo"]["id"] = None

    for payload in (other_owner, not_called_fork, same_name, same_id, same_label, removed):
        assert of_github(payload).is_fork
    with pytest.raises(MalformedError, match="is not the repository of the delivery"):
        of_github(without_id)


@pytest.mark.parametrize("project", [None, True, "1", 14])
def test_a_gitlab_fork_cannot_pretend_to_be_the_project(project: object) -> None:
    """Anything but the number of the target's project is a fork."""
    payload = gitlab_merge_request(source_project_id=project)

    assert read(gitlab_sent(payload, event="Merge Request Hook")).is_fork


def test_another_repository_in_the_payload() -> None:
    """A payload whose target is another repository than its own is refused."""
    github = github_pull_request()
    github["pull_request"]["base"]["repo"] = {**github["repository"], "id": 9}
    gitlab = gitlab_merge_request(target_project_id=9)

    with pytest.raises(MalformedError, match="is not the repository of the delivery"):
        of_github(github)
    with pytest.raises(MalformedError, match="is not the project of the delivery"):
        read(gitlab_sent(gitlab, event="Merge Request Hook"))


@pytest.mark.parametrize("number", ["7", 0, -1, True, 1.5, 2**70, None, [7]])
def test_numbers_that_are_not_numbers(number: Any) -> None:
    """A number becomes part of the name of a ref, so only a number is accepted."""
    with pytest.raises(MalformedError, match="number"):
        of_github(github_pull_request(number=number))


@pytest.mark.parametrize("branch", ["a b", "--upload-pack=x", "a\nb", "../x", "a..b", "x:y", "*", "", "a\0b", "@{0}"])
def test_branches_that_are_not_branches(branch: str) -> None:
    """A text that git refuses as the name of a branch is refused."""
    for names in ({"source_branch": branch}, {"target_branch": branch}):
        with pytest.raises(MalformedError, match="ref`"):
            of_github(github_pull_request(**names))  # type: ignore[arg-type]  # names of texts


@pytest.mark.parametrize("commit", ["HEAD", "a" * 39, "A" * 40, "-" * 40])
def test_commits_that_are_not_commits(commit: str) -> None:
    """Only the whole id of a commit is accepted."""
    with pytest.raises(MalformedError, match=r"`pull_request\.head\.sha` in the payload is not a commit"):
        of_github(github_pull_request(head=commit))


def test_it_comes_back_from_json() -> None:
    """What is stored on disk is read back as the same value, and told apart from a push."""
    found = of_github(github_pull_request(source="eve/infra"))
    push = event_of(read_delivery(github_sent(github_push()).headers, github_sent(github_push()).body))
    assert isinstance(push, Push)

    assert event_from_json(found.to_json()) == found
    assert event_from_json(push.to_json()) == push


def test_a_long_one_is_the_same() -> None:
    """A body that is read in a separate process gives the same pull request."""
    sent = github_sent(github_pull_request(), event="pull_request")

    apart = event_of(read_delivery(sent.headers, sent.body + b" " * READ_HERE))

    assert apart == read(sent)
