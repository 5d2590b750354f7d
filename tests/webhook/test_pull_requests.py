"""Pull requests at the receiver: which ones start runs, what overtakes what, and what the host is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.hosts.pull_requests import PullRequests
from tests.webhook.payloads import commit_number, gitea_sent, github_push, github_sent, gitlab_sent
from tests.webhook.pull_request_payloads import gitea_pull_request, github_pull_request, gitlab_merge_request
from tests.webhook.receiving import Receiving, receiving
from tests.webhook.scripted_world import ScriptedWorld, merge_of
from tests.webhook.world import eventually


@pytest.mark.parametrize(
    ("pull_requests", "own", "fork"),
    [(PullRequests.NEVER, 200, 200), (PullRequests.OWN, 202, 200), (PullRequests.ALL, 202, 202)],
)
def test_whose_pull_requests_start_runs(
    world: ScriptedWorld, receiver: Receiving, pull_requests: PullRequests, own: int, fork: int
) -> None:
    """Each deployment says whether pull requests start runs: none, those of the repository itself, or those of forks too."""
    world.register("acme/infra", pull_requests=pull_requests)

    answers = [
        receiver.deliver(github_sent(github_pull_request(number=1), event="pull_request")),
        receiver.deliver(github_sent(github_pull_request(number=2, source="eve/infra"), event="pull_request")),
    ]

    assert [answer.status_code for answer in answers] == [own, fork]
    if fork == 200:
        assert answers[1].json()["message"] == "no deployment waits for pull requests of forks into this branch"


def test_pull_requests_of_all_hosts(world: ScriptedWorld, receiver: Receiving) -> None:
    """GitHub, Gitea and GitLab start runs of what the host merged."""
    payloads = [github_pull_request(number=1), gitea_pull_request(number=2), gitlab_merge_request(number=3)]
    for repository in ("acme/infra", "https://git.example.org/acme/infra", "https://gitlab.com/acme/tools/infra"):
        world.register(repository, name=repository.rpartition("//")[2], pull_requests=PullRequests.OWN)
    github, gitea, gitlab = payloads
    sent = [
        github_sent(github, event="pull_request"),
        gitea_sent(gitea).with_headers(x_gitea_event="pull_request"),
        gitlab_sent(gitlab, event="Merge Request Hook"),
    ]

    answers = [receiver.result(one) for one in sent]
    eventually(lambda: len(world.runs()) == 3)

    assert answers == [(202, "queued")] * 3
    assert {run.commit for run in world.runs()} == {merge_of(commit_number(number)) for number in (1, 2, 3)}


def test_the_target_branch_counts(world: ScriptedWorld, receiver: Receiving) -> None:
    """A pull request starts the deployments that wait for pushes to its target branch."""
    world.register("acme/infra", branches=["release/*"], pull_requests=PullRequests.OWN)

    into_main = github_pull_request(number=1, source_branch="release/1")
    into_release = github_pull_request(number=2, target_branch="release/2")
    answers = [receiver.result(github_sent(one, event="pull_request")) for one in (into_main, into_release)]

    assert answers == [(200, "ignored"), (202, "queued")]


def test_a_new_push_overtakes(world: ScriptedWorld, receiver: Receiving) -> None:
    """A newer commit cancels the earlier run of the same pull request, and of no other; closing it cancels the last one."""
    world.register("acme/infra", pull_requests=PullRequests.OWN)
    first, second, other = "a" * 40, "b" * 40, "c" * 40

    receiver.deliver(github_sent(github_pull_request(number=8, head=other), event="pull_request"))
    receiver.deliver(github_sent(github_pull_request(head=first), event="pull_request"))
    eventually(lambda: len(world.runs()) == 2)
    receiver.deliver(github_sent(github_pull_request(head=second, action="synchronize"), event="pull_request"))
    eventually(lambda: len(world.runs()) == 3)
    after_push = world.states()
    receiver.deliver(github_sent(github_pull_request(head=second, action="closed"), event="pull_request"))
    eventually(lambda: receiver.logged("pull request 7 bbbbbbb registered/acme/infra: closed"))

    assert after_push == {merge_of(first): "error", merge_of(second): "pending", merge_of(other): "pending"}
    assert world.states() == {merge_of(first): "error", merge_of(second): "error", merge_of(other): "pending"}
    assert receiver.logged("pull request 7 bbbbbbb registered/acme/infra: 1 earlier run cancelled")


def test_an_answer_that_is_lost_cancels_nothing(world: ScriptedWorld, receiver: Receiving) -> None:
    """If a run was made and the answer was lost, the next attempt does not cancel that run."""
    world.register("acme/infra", pull_requests=PullRequests.OWN)
    world.lose_answers(2)

    receiver.deliver(github_sent(github_pull_request(), event="pull_request"))
    eventually(lambda: receiver.logged("started all"))

    assert world.states() == {merge_of(commit_number(7)): "pending"}


def test_pushes_while_prefect_is_down(world: ScriptedWorld, receiver: Receiving) -> None:
    """Of several commits that wait to be started, only the newest starts a run, and none if the pull request was closed."""
    world.register("acme/infra", pull_requests=PullRequests.OWN)
    eventually(lambda: receiver.logged("wait"))
    receiver.deliver(github_sent(github_push(branch="warm")))
    eventually(lambda: len(world.runs()) == 1)
    world.hang_up()
    for number, action in ((1, "opened"), (2, "synchronize"), (3, "synchronize")):
        payload = github_pull_request(head=commit_number(number), action=action)
        assert receiver.result(github_sent(payload, event="pull_request")) == (202, "queued")
    closed = github_pull_request(number=9, head=commit_number(4))
    receiver.deliver(github_sent(closed, event="pull_request"))
    receiver.deliver(github_sent(closed | {"action": "closed"}, event="pull_request"))

    world.answer()
    eventually(lambda: receiver.logged("pull request 9") and receiver.logged(": closed"))

    assert [run.commit for run in world.runs()[1:]] == [merge_of(commit_number(3))]


def test_what_the_host_is_told(world: ScriptedWorld, tmp_path: Path) -> None:
    """The newest commit of the branch gets the status, apart from that of a push; a fork's says what it waits for."""
    world.register("acme/infra", token="t", pull_requests=PullRequests.ALL)
    own, fork, broken = commit_number(1), commit_number(2), commit_number(3)
    with receiving(world.hub, tmp_path / "data") as receiver:
        receiver.deliver(github_sent(github_push(after=own)))
        for payload in (
            github_pull_request(number=1),
            github_pull_request(number=2, source="eve/infra"),
            github_pull_request(number=3, mergeable=False),
        ):
            receiver.deliver(github_sent(payload, event="pull_request"))
        eventually(lambda: len(receiver.statuses.sent) == 4)
        told = {(status.commit, status.context): status for _, _, status in receiver.statuses.sent}

    assert {commit for commit, _ in told} == {own, fork, broken}
    assert (own, "dockercise/infra") in told
    assert told[own, "dockercise/infra/pull-request"].description == "waits or runs"
    assert told[fork, "dockercise/infra/pull-request"].description == "waits for a maintainer's yes"
    assert told[fork, "dockercise/infra/pull-request"].state == "pending"
    assert (told[broken, "dockercise/infra/pull-request"].state, told[broken, "dockercise/infra/pull-request"].description) == (
        "error",
        "it cannot be merged",
    )


def test_a_fork_with_a_secret_of_its_own(world: ScriptedWorld, receiver: Receiving) -> None:
    """Who knows the secret of the fork's own webhook cannot send a pull request for the other repository."""
    world.register("acme/infra", pull_requests=PullRequests.ALL)
    world.register("eve/infra", secret="of eve", pull_requests=PullRequests.ALL)
    payload = github_pull_request(source="eve/infra")

    answers = [receiver.result(github_sent(payload, event="pull_request", secret=secret)) for secret in ("of eve", "guessed")]

    assert answers == [(401, "forged"), (401, "forged")]
    assert world.runs() == []
