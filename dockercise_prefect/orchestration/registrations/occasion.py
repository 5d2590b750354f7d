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
from dockercise_prefect.orchestration.registrations.registration import Registration
from dockercise_prefect.pipeline.run_context import RunContext, RunEvent
from dockercise_prefect.repository.command import git
from dockercise_prefect.settings import Settings

_EVENT, _BRANCH, _TAG, _PREVIOUS = (f"dockercise.{name}" for name in ("event", "branch", "tag", "previous"))
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """How a run began, and what it is of. A text is empty if it is not known.

    Attributes:
        event: how the run began.
        branch: the short name of the branch.
        tag: the tag.
        previous: the commit that the branch was at before the push.
    """

    event: RunEvent = RunEvent.MANUAL
    branch: str = ""
    tag: str = ""
    previous: str = ""

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of the flow run."""
        texts = {_EVENT: self.event.value, _BRANCH: self.branch, _TAG: self.tag, _PREVIOUS: self.previous}
        return {name: text for name, text in texts.items() if text}


def labelled(labels: Mapping[str, Any]) -> Occasion | None:
    """The occasion that the labels of a flow run tell; None if they tell none, as in a flow run of an earlier version."""
    event, branch, tag, previous = (str(labels.get(name, "")) for name in (_EVENT, _BRANCH, _TAG, _PREVIOUS))
    if event not in {*RunEvent}:
        return None
    known = previous if _COMMIT.fullmatch(previous) else ""
    return Occasion(event=RunEvent(event), branch=branch, tag=tag, previous=known)


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


def known_of(occasion: Occasion, registration: Registration, checkout: Checkout) -> RunContext:
    """What a run knows of git, except for what changed.

    Raises:
        RepositoryError: git cannot read the commit.
    """
    if checkout.commit is None:
        return RunContext(event=occasion.event)
    commit = read_commit(git(checkout.folder, *READ_COMMIT, checkout.commit, "--"))
    return RunContext(
        event=occasion.event,
        commit=checkout.commit,
        branch=occasion.branch,
        tag=occasion.tag,
        repository=registration.url,
        previous=occasion.previous,
        author=commit.author,
        message=commit.message,
    )


def with_changes(known: RunContext, registration: Registration, settings: Settings) -> RunContext:
    """The same with the paths that the push changed. The mirror knows them, or can fetch the commit before the push.

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
