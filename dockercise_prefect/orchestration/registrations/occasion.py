"""How a run of a registered repository began. The receiver stores it as labels of the flow run, and a retry reads it again.

Labels and not parameters: a deployment refuses parameters that it did not have when it was registered, and a worker of another
version would refuse to call its flow. Labels that are not known are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from prefect.client.schemas.objects import FlowRun

from dockercise_prefect.errors import DockerciseError, RepositoryError, UsageError
from dockercise_prefect.git.context import READ_COMMIT, read_commit
from dockercise_prefect.orchestration.registrations.checkout import Checkout, open_mirror
from dockercise_prefect.orchestration.registrations.commits import changed_apart
from dockercise_prefect.orchestration.registrations.registration import Registration, for_pull_request
from dockercise_prefect.pipeline.run_context import RunContext, RunEvent
from dockercise_prefect.repository.command import git
from dockercise_prefect.repository.pull_request_refs import PullRequestRefs
from dockercise_prefect.settings import Settings

_EVENT, _BRANCH, _TAG, _PREVIOUS = (f"dockercise.{name}" for name in ("event", "branch", "tag", "previous"))
PULL_REQUEST, HEAD, FORK = (f"dockercise.{name}" for name in ("pull_request", "head", "fork"))
"""The labels with the number of a pull request, the newest commit of its branch, and whether it comes from a fork."""

_SOURCE, _TARGET, _COMMIT_OF_FORK = (f"dockercise.{name}" for name in ("source_branch", "target_branch", "commit"))
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NUMBER = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestFacts:
    """What a run knows of its pull request.

    Attributes:
        number: its number in its repository.
        head: the newest commit of the source branch.
        source_branch: the short name of the branch with the changes.
        target_branch: the short name of the branch that the changes are for.
        is_fork: whether the source branch is in another repository.
        merge: the commit that the run of a fork runs. It is no parameter of the flow run: somebody who copies the run in
            Prefect's UI would get a run of that commit that is trusted.
    """

    number: int
    head: str
    source_branch: str
    target_branch: str
    is_fork: bool
    merge: str = ""

    @property
    def refs(self) -> PullRequestRefs:
        """Its refs at the host."""
        return PullRequestRefs(self.number, is_fork=self.is_fork)

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of the flow run."""
        labels = {PULL_REQUEST: str(self.number), HEAD: self.head, FORK: str(self.is_fork).lower()}
        labels |= {_SOURCE: self.source_branch, _TARGET: self.target_branch}
        return labels | ({_COMMIT_OF_FORK: self.merge} if self.is_fork else {})

    @classmethod
    def from_labels(cls, labels: Mapping[str, Any]) -> PullRequestFacts:
        """What the labels of a flow run tell. Without a label that says it is not, it comes from a fork.

        Raises:
            UsageError: a label is missing.
        """
        texts = {name: str(labels.get(name, "")) for name in (PULL_REQUEST, HEAD, FORK, _SOURCE, _TARGET, _COMMIT_OF_FORK)}
        is_fork = texts[FORK] != "false"
        commits = [texts[HEAD], *([texts[_COMMIT_OF_FORK]] if is_fork else [])]
        if not _NUMBER.fullmatch(texts[PULL_REQUEST]) or not all(map(_COMMIT.fullmatch, commits)):
            raise UsageError("the labels of this flow run do not say which pull request it is for", "push to it again")
        return cls(
            number=int(texts[PULL_REQUEST]),
            head=texts[HEAD],
            source_branch=texts[_SOURCE],
            target_branch=texts[_TARGET],
            is_fork=is_fork,
            merge=texts[_COMMIT_OF_FORK],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """How a run began, and what it is of. A text is empty if it is not known.

    Attributes:
        event: how the run began.
        branch: the short name of the branch.
        tag: the tag.
        previous: the commit that the branch was at before the push, or that the pull request is compared with.
        pull_request: the pull request; None if the run is not of one.
    """

    event: RunEvent = RunEvent.MANUAL
    branch: str = ""
    tag: str = ""
    previous: str = ""
    pull_request: PullRequestFacts | None = None

    @property
    def is_of_fork(self) -> bool:
        """Whether the code is a stranger's."""
        return self.pull_request is not None and self.pull_request.is_fork

    def registration(self, registration: Registration) -> Registration:
        """The registration as it holds for this run."""
        return registration if self.pull_request is None else for_pull_request(registration, self.pull_request.refs)

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of the flow run."""
        more = {} if self.pull_request is None else dict(self.pull_request.labels)
        texts = {_EVENT: self.event.value, _BRANCH: self.branch, _TAG: self.tag, _PREVIOUS: self.previous}
        return {name: text for name, text in texts.items() if text} | more


def labelled(labels: Mapping[str, Any]) -> Occasion | None:
    """The occasion that the labels of a flow run tell; None if they tell none, as in a flow run of an earlier version.

    Raises:
        UsageError: they do not say which pull request the run is for.
    """
    event, branch, tag, previous = (str(labels.get(name, "")) for name in (_EVENT, _BRANCH, _TAG, _PREVIOUS))
    if event not in {*RunEvent}:
        return None
    known = previous if _COMMIT.fullmatch(previous) else ""
    pull_request = PullRequestFacts.from_labels(labels) if event == RunEvent.PULL_REQUEST else None
    return Occasion(event=RunEvent(event), branch=branch, tag=tag, previous=known, pull_request=pull_request)


def occasion_of(flow_run: FlowRun, registration: Registration, checkout: Checkout, settings: Settings) -> Occasion:
    """How a flow run began.

    Without labels, it was started by a schedule or by hand. Then its branch or tag is the registered one, unless it runs
    another commit than the newest.

    Args:
        flow_run: the flow run.
        registration: the registration of its repository.
        checkout: the code that it runs.
        settings: the settings of this machine.
    """
    told = labelled(flow_run.labels)
    if told is not None:
        return told
    event = RunEvent.SCHEDULE if flow_run.auto_scheduled else RunEvent.MANUAL
    head = checkout.head
    if head is None and registration.ref is not None:
        with suppress(RepositoryError, UsageError):  # the host does not answer, or has no such branch any more: it is not known
            head = open_mirror(registration, settings.data).head(registration.ref)
    if head is None or head.commit != checkout.commit:
        return Occasion(event=event)
    return Occasion(event=event, tag=head.name) if head.is_tag else Occasion(event=event, branch=head.name)


def known_of(occasion: Occasion, registration: Registration, checkout: Checkout, settings: Settings) -> RunContext:
    """What a run knows of git, except for what changed.

    The author and the message of a pull request are those of its newest commit, and not of the host's merge.

    Args:
        occasion: how the run began.
        registration: the registration as it holds for the run.
        checkout: the code that it runs.
        settings: the settings of this machine.

    Raises:
        RepositoryError: git cannot read the commit.
    """
    if checkout.commit is None:
        return RunContext(event=occasion.event)
    request = occasion.pull_request
    if request is None:
        commit = read_commit(git(checkout.folder, *READ_COMMIT, checkout.commit, "--"))
    else:
        mirror = open_mirror(registration, settings.data)
        mirror.fetch(request.head)
        commit = read_commit(git(mirror.folder, *READ_COMMIT, request.head, "--"))
    return RunContext(
        event=occasion.event,
        commit=checkout.commit,
        branch=occasion.branch,
        tag=occasion.tag,
        repository=registration.url,
        previous=occasion.previous,
        author=commit.author,
        message=commit.message,
        pull_request=str(request.number) if request else "",
        source_branch=request.source_branch if request else "",
        target_branch=request.target_branch if request else "",
    )


def with_changes(known: RunContext, registration: Registration, settings: Settings) -> RunContext:
    """The same with the paths that the push or the pull request changed.

    The mirror knows them, or can fetch the commit before the push.

    It is not known what changed if there is no such commit, if it is gone, or if git cannot compare the two.
    """
    if not known.previous or not known.commit:
        return known
    try:
        mirror = open_mirror(registration, settings.data)
        mirror.fetch(known.previous)
        return replace(known, changed=changed_apart(mirror.folder, known.previous, known.commit))
    except DockerciseError:
        return known
