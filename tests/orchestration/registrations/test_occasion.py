"""What a run of a registered repository knows of git, and how it began."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun

from dockercise_prefect.orchestration.registrations.checkout import checked_out, open_mirror
from dockercise_prefect.orchestration.registrations.deployments import Deployed
from dockercise_prefect.orchestration.registrations.occasion import Occasion, known_of, labelled, occasion_of, with_changes
from dockercise_prefect.orchestration.registrations.pushes import EVERYTHING, Arrival, peeled, touched
from dockercise_prefect.orchestration.registrations.registration import Registration
from dockercise_prefect.pipeline.run_context import RunContext, RunEvent
from dockercise_prefect.settings import Settings, read_settings
from tests.support.hosts.git_repository import commit_all, git, make_repository

PIPELINE = "app: {img: busybox, run: echo app, triggers: app/}\n"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The repository, with a tag `v1` at its only commit."""
    folder = make_repository(tmp_path / "work", {"p.dockercise.yaml": PIPELINE, "app/a": ""}, branch="main")
    git(folder, "tag", "--annotate", "--message", "Release", "v1")
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a separate data folder."""
    return read_settings(data=str(tmp_path / "data"))


def _run(*, scheduled: bool = False, **labels: str) -> FlowRun:
    told = {f"dockercise.{name}": text for name, text in labels.items()}
    return FlowRun(flow_id=uuid4(), auto_scheduled=scheduled, labels=dict(told))


def _occasion(flow_run: FlowRun, work: Path, settings: Settings, *, ref: str = "main", commit: str | None = None) -> Occasion:
    registration = Registration(url=str(work), ref=ref)
    with checked_out(registration, commit, settings) as checkout:
        return occasion_of(flow_run, registration, checkout, settings)


def test_a_run_by_hand_or_by_schedule_is_of_the_registered_branch(work: Path, settings: Settings) -> None:
    """Without a commit, a run has the registered branch or tag; Prefect says whether a schedule started it."""
    assert _occasion(_run(), work, settings) == Occasion(branch="main")
    assert _occasion(_run(scheduled=True), work, settings) == Occasion(event=RunEvent.SCHEDULE, branch="main")
    assert _occasion(_run(), work, settings, ref="v1") == Occasion(tag="v1")


def test_a_run_of_a_named_commit_has_a_branch_only_if_it_is_the_newest(work: Path, settings: Settings) -> None:
    """If somebody names a commit, the branch is known if the commit is its newest one, and is empty otherwise."""
    older = git(work, "rev-parse", "HEAD")
    git(work, "commit", "--quiet", "--allow-empty", "--message", "Go on")
    newest = git(work, "rev-parse", "HEAD")

    assert _occasion(_run(), work, settings, commit=newest) == Occasion(branch="main")
    assert _occasion(_run(), work, settings, commit=older) == Occasion()


def test_a_host_that_does_not_answer_leaves_the_branch_open(work: Path, settings: Settings) -> None:
    """A commit that is here can run while the host is away; its branch is then not known."""
    commit = git(work, "rev-parse", "HEAD")
    registration = Registration(url=str(work), ref="main")
    with checked_out(registration, commit, settings) as checkout:
        work.rename(work.with_name("away"))

        assert occasion_of(_run(), registration, checkout, settings) == Occasion()


def test_labels_tell_how_a_run_began(work: Path, settings: Settings) -> None:
    """What the receiver stored in the flow run counts, and is what a retry reads again."""
    told = Occasion(event=RunEvent.PUSH, branch="feature/one", previous="b" * 40)

    assert labelled(told.labels) == told
    assert _occasion(_run(event="push", branch="other"), work, settings) == Occasion(event=RunEvent.PUSH, branch="other")


@pytest.mark.parametrize("labels", [{}, {"dockercise.event": "of_tomorrow"}, {"dockercise.branch": "main"}])
def test_labels_of_other_versions_tell_nothing(labels: dict[str, str]) -> None:
    """A flow run of an earlier version has no such labels, and one of a later version may have an event that is not known."""
    assert labelled(labels) is None


def test_a_previous_commit_that_is_none_is_not_taken() -> None:
    """Only a whole id is passed to git."""
    occasion = labelled({"dockercise.event": "push", "dockercise.previous": "--upload-pack=x"})

    assert occasion == Occasion(event=RunEvent.PUSH)


def test_what_a_run_of_a_push_knows(work: Path, settings: Settings) -> None:
    """The message and the author are those of the commit, and git says what the push changed."""
    before = git(work, "rev-parse", "HEAD")
    (work / "app/ä b").write_text("1", encoding="utf-8")
    commit_all(work)
    after = git(work, "rev-parse", "HEAD")
    registration = Registration(url=str(work), ref="main")
    occasion = Occasion(event=RunEvent.PUSH, branch="main", previous=before)

    with checked_out(registration, after, settings) as checkout:
        known = with_changes(known_of(occasion, registration, checkout, settings), registration, settings)

    assert known == RunContext(
        event=RunEvent.PUSH,
        commit=after,
        branch="main",
        repository=str(work),
        previous=before,
        author="A Developer <developer@example.org>",
        message=git(work, "log", "-1", "--format=%B"),
        changed=["app/ä b"],
    )


@pytest.mark.parametrize("previous", ["", "1" * 40])
def test_nobody_knows_what_changed(previous: str, work: Path, settings: Settings) -> None:
    """Without a previous commit, or if a forced push removed it, it is not known what changed."""
    known = RunContext(event=RunEvent.PUSH, commit=git(work, "rev-parse", "HEAD"), previous=previous)

    assert with_changes(known, Registration(url=str(work), ref="main"), settings).changed is None


def test_a_folder_without_a_repository_has_only_an_event(tmp_path: Path, settings: Settings) -> None:
    """A registered folder that is in no repository knows how its run began."""
    registration = Registration(url=str(tmp_path))
    with checked_out(registration, None, settings) as checkout:
        occasion = occasion_of(_run(scheduled=True), registration, checkout, settings)

        assert known_of(occasion, registration, checkout, settings) == RunContext(event=RunEvent.SCHEDULE)


def test_a_tag_runs_everything_at_its_commit(work: Path, settings: Settings) -> None:
    """A tag changes no files, so triggers choose nothing; the object of an annotated tag is followed to its commit."""
    deployed = Deployed(
        id="1",
        name="work/work",
        registration=Registration(url=str(work), ref="main", tags=("v*",)),
        parameters={},
        work_pool="dockercise",
        schedules="none",
        paused=False,
    )
    tag_object = git(work, "rev-parse", "v1")
    arrival = Arrival(branch="", before=None, after=tag_object, changed=None, tag="v1")

    of_commit = peeled(deployed, arrival, settings)

    assert tag_object != of_commit.after == git(work, "rev-parse", "v1^{commit}")
    assert touched(deployed, of_commit, settings) is EVERYTHING
    assert of_commit.occasion == Occasion(event=RunEvent.TAG, tag="v1")


def test_the_mirror_tells_a_branch_from_a_tag(work: Path, settings: Settings) -> None:
    """The host is asked for branches first; a tag is known as one."""
    mirror = open_mirror(Registration(url=str(work)), settings.data)

    assert (mirror.head("main").is_tag, mirror.head("v1").is_tag, mirror.head(None).is_tag) == (False, True, False)
