"""Which commit of a pull request runs, what it touches, and what its run knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun

from dockercise_prefect.errors import RepositoryError, UsageError
from dockercise_prefect.hosts.kinds import HostKind
from dockercise_prefect.hosts.pull_requests import PullRequests
from dockercise_prefect.orchestration.registrations.checkout import checked_out, open_mirror
from dockercise_prefect.orchestration.registrations.deployments import Deployed
from dockercise_prefect.orchestration.registrations.occasion import (
    Occasion,
    PullRequestFacts,
    known_of,
    labelled,
    occasion_of,
    with_changes,
)
from dockercise_prefect.orchestration.registrations.pull_requests import MERGE_SECONDS, Offer, Settled, settle
from dockercise_prefect.orchestration.registrations.pushes import Arrival, is_skipped, touched, waits_for_yes
from dockercise_prefect.orchestration.registrations.registration import Registration, for_pull_request
from dockercise_prefect.pipeline.run_context import RunContext, RunEvent
from dockercise_prefect.settings import Settings, read_settings
from tests.support.hosts.git_repository import commit_all, git, make_repository

PIPELINE = "app: {img: busybox, run: echo app, triggers: app/}\ndocs: {img: busybox, run: echo docs, triggers: docs/}\n"
LATE = MERGE_SECONDS + 1


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The repository, which is its own host, with a branch `topic` that changes `app`, while `main` has changed `docs`."""
    folder = make_repository(tmp_path / "work", {"p.dockercise.yaml": PIPELINE, "app/a": "", "docs/d": ""}, branch="main")
    git(folder, "switch", "--quiet", "--create", "topic")
    (folder / "app/a").write_text("new\n")
    commit_all(folder)
    git(folder, "switch", "--quiet", "main")
    (folder / "docs/d").write_text("new\n")
    commit_all(folder)
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a separate data folder."""
    return read_settings(data=str(tmp_path / "data"))


@pytest.fixture
def deployed(work: Path) -> Deployed:
    """The repository's deployment as Prefect would return it."""
    registration = Registration(
        url=work.as_uri(),
        ref="main",
        secrets={"PASSWORD": "block"},
        submodules=True,
        pull_requests=PullRequests.ALL,
    )
    return Deployed(
        id=str(uuid4()),
        name="work/work",
        registration=registration,
        parameters={},
        work_pool="dockercise",
        schedules="none",
        paused=False,
    )


def head_of(work: Path) -> str:
    """The newest commit of the pull request, as the host keeps it."""
    git(work, "update-ref", "refs/pull/7/head", "topic")
    return git(work, "rev-parse", "topic")


def merge_of(work: Path) -> str:
    """The host's merge of `topic` into `main`."""
    git(work, "switch", "--quiet", "--detach", "main")
    git(work, "merge", "--quiet", "--no-ff", "--message", "Merge topic", "topic")
    git(work, "update-ref", "refs/pull/7/merge", "HEAD")
    merge = git(work, "rev-parse", "HEAD")
    git(work, "switch", "--quiet", "main")
    return merge


def facts(head: str, *, is_fork: bool = False, merge: str = "") -> PullRequestFacts:
    return PullRequestFacts(number=7, head=head, source_branch="topic", target_branch="main", is_fork=is_fork, merge=merge)


def offer(head: str, kind: HostKind = HostKind.GITHUB, *, has_conflicts: bool = False) -> Offer:
    return Offer(request=facts(head), kind=kind, has_conflicts=has_conflicts, merge_base="")


@pytest.mark.parametrize("kind", HostKind)
def test_the_merge_of_the_host_is_run(kind: HostKind, work: Path, deployed: Deployed, settings: Settings) -> None:
    """The host's merge runs, and is compared with the commit of the target branch that it merges into."""
    head, merge = head_of(work), merge_of(work)

    assert settle(deployed, offer(head, kind), settings, 0) == Settled(merge, git(work, "rev-parse", "main"))


def test_a_merge_that_is_not_there_yet(work: Path, deployed: Deployed, settings: Settings) -> None:
    """GitHub and GitLab merge in the background, so their merge is waited for; the merge of an older commit does not count."""
    head_of(work)
    merge_of(work)
    git(work, "switch", "--quiet", "topic")
    git(work, "commit", "--quiet", "--allow-empty", "--message", "Newer")
    head = head_of(work)

    for kind in (HostKind.GITHUB, HostKind.GITLAB):
        with pytest.raises(RepositoryError, match="has not merged pull request 7 into main yet"):
            settle(deployed, offer(head, kind), settings, 0)


def test_a_host_that_makes_no_merge(work: Path, deployed: Deployed, settings: Settings) -> None:
    """Without a merge, the newest commit runs: on Gitea at once, on GitLab later; on GitHub, that means conflicts."""
    head = head_of(work)
    base = git(work, "merge-base", "main", "topic")

    of_gitea = settle(deployed, replace(offer(head, HostKind.GITEA), merge_base=base), settings, 0)

    assert of_gitea == Settled(head, base)
    assert settle(deployed, offer(head, HostKind.GITLAB), settings, LATE) == Settled(head, "")
    with pytest.raises(UsageError, match="it cannot be merged into main: resolve the conflicts"):
        settle(deployed, offer(head), settings, LATE)


@pytest.mark.parametrize("kind", HostKind)
def test_conflicts_that_the_host_knows(kind: HostKind, work: Path, deployed: Deployed, settings: Settings) -> None:
    """If the event says that there are conflicts, nothing runs, although there may be an older merge."""
    head, _ = head_of(work), merge_of(work)

    with pytest.raises(UsageError, match="it cannot be merged into main"):
        settle(deployed, offer(head, kind, has_conflicts=True), settings, 0)


def test_a_pull_request_that_has_moved_on(work: Path, deployed: Deployed, settings: Settings) -> None:
    """If the host has another newest commit than the event, it is asked again for a while, and then nothing runs."""
    head_of(work)
    merge_of(work)

    with pytest.raises(RepositoryError, match="is not at aaaaaaaaaaaa yet"):
        settle(deployed, offer("a" * 40), settings, 0)
    with pytest.raises(UsageError, match="is not at aaaaaaaaaaaa any more"):
        settle(deployed, offer("a" * 40), settings, LATE)


def test_triggers_match_what_the_pull_request_changes(work: Path, deployed: Deployed, settings: Settings) -> None:
    """What the target branch has changed meanwhile is no change of the pull request."""
    head, merge = head_of(work), merge_of(work)
    plain = replace(deployed, registration=replace(deployed.registration, submodules=False))
    before = git(work, "rev-parse", "main")
    arrival = Arrival(branch="", before=before, after=merge, changed=None, pull_request=facts(head))

    assert touched(plain, arrival, settings) == ("app",)


@pytest.mark.parametrize("words", ["Fix [skip ci]", "Fix\n\n[CI SKIP] for now"])
def test_words_that_ask_for_no_run(words: str, work: Path, deployed: Deployed, settings: Settings) -> None:
    """`[skip ci]` in the newest commit is heeded for pushes and pull requests, and not for tags."""
    git(work, "switch", "--quiet", "topic")
    git(work, "commit", "--quiet", "--allow-empty", "--message", words)
    head, merge = head_of(work), merge_of(work)
    push = Arrival(branch="topic", before=None, after=head, changed=None)

    assert is_skipped(deployed, push, settings)
    assert is_skipped(deployed, replace(push, branch="", after=merge, pull_request=facts(head)), settings)
    assert not is_skipped(deployed, replace(push, after=merge), settings)
    assert not is_skipped(deployed, replace(push, branch="", tag="v1"), settings)


def test_a_fork_has_nothing_of_the_registration(deployed: Deployed, work: Path, settings: Settings) -> None:
    """The registration as it holds for a fork is not trusted, and has no secrets, no submodules and no files in LFS."""
    head, merge = head_of(work), merge_of(work)
    occasion = Occasion(event=RunEvent.PULL_REQUEST, pull_request=facts(head, is_fork=True, merge=merge))

    registration = occasion.registration(deployed.registration)

    assert (registration.untrusted, registration.secrets) == (True, {})
    assert (registration.submodules, registration.lfs, registration.credentials) == (False, False, None)
    assert registration.settings(settings).untrusted
    assert occasion.registration(deployed.registration) == for_pull_request(
        deployed.registration, facts(head, is_fork=True).refs
    )
    with checked_out(registration, merge, settings):
        pass
    assert not open_mirror(deployed.registration, settings.data).folder.exists()


def test_a_yes_is_needed_for_forks(deployed: Deployed) -> None:
    """A fork waits for a yes unless the registration says otherwise; the repository's own pull requests never wait."""
    arrival = Arrival(branch="", before=None, after="b" * 40, changed=None, pull_request=facts("a" * 40, is_fork=True))
    own = replace(arrival, pull_request=facts("a" * 40))
    unasked = replace(deployed, registration=replace(deployed.registration, runs_forks_unasked=True))

    assert [waits_for_yes(deployed, one) for one in (arrival, own)] == [True, False]
    assert not waits_for_yes(unasked, arrival)


def test_labels_give_the_occasion_back() -> None:
    """What the receiver knows of a pull request is in the labels of the flow run, and is read from them."""
    own = Occasion(event=RunEvent.PULL_REQUEST, previous="c" * 40, pull_request=facts("a" * 40))
    fork = Occasion(event=RunEvent.PULL_REQUEST, pull_request=facts("a" * 40, is_fork=True, merge="b" * 40))

    assert labelled(own.labels) == own
    assert labelled(fork.labels) == fork
    assert not own.is_of_fork
    assert fork.is_of_fork


@pytest.mark.parametrize("name", ["pull_request", "head", "fork", "commit"])
def test_a_label_that_is_missing_makes_nothing_trusted(name: str) -> None:
    """Without one of its labels, a run of a fork is refused, or stays a run of a fork."""
    occasion = Occasion(event=RunEvent.PULL_REQUEST, pull_request=facts("a" * 40, is_fork=True, merge="b" * 40))
    labels = {key: text for key, text in occasion.labels.items() if key != f"dockercise.{name}"}

    if name == "fork":
        found = labelled(labels)
        assert found is not None
        assert found.is_of_fork
    else:
        with pytest.raises(UsageError, match="do not say which pull request it is for"):
            labelled(labels)


def test_what_a_run_of_a_pull_request_knows(work: Path, deployed: Deployed, settings: Settings) -> None:
    """It has the number, both branches, and the author and message of the newest commit; it is of no branch."""
    head, merge = head_of(work), merge_of(work)
    before = git(work, "rev-parse", "main")
    told = Occasion(event=RunEvent.PULL_REQUEST, previous=before, pull_request=facts(head, is_fork=True, merge=merge))
    registration = told.registration(deployed.registration)
    flow_run = FlowRun(flow_id=uuid4(), labels=dict(told.labels))

    with checked_out(registration, merge, settings) as checkout:
        occasion = occasion_of(flow_run, registration, checkout, settings)
        known = with_changes(known_of(occasion, registration, checkout, settings), registration, settings)

    assert known == RunContext(
        event=RunEvent.PULL_REQUEST,
        commit=merge,
        repository=work.as_uri(),
        previous=before,
        author="A Developer <developer@example.org>",
        message="Go on",
        changed=["app/a"],
        pull_request="7",
        source_branch="topic",
        target_branch="main",
    )
