"""The interface of the receiver to registrations, git and Prefect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from dockercise_prefect.errors import WebhookError
from dockercise_prefect.hosts.pull_requests import PullRequests
from dockercise_prefect.pipeline.name_globs import takes_name
from dockercise_prefect.webhook.payload.address import lowered
from dockercise_prefect.webhook.payload.event import Event
from dockercise_prefect.webhook.payload.pull_request import PullRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A deployment that is started by pushes to a repository.

    Attributes:
        deployment_id: Prefect's id, as text.
        name: `flow/deployment`.
        repositories: addresses of the repository, in any spelling (`webhook.address.canonical` gives them one form). A push
            that names any of them is for this deployment.
        branches: globs on branch names, for `repository.branches`; a push to a branch that they do not match starts nothing.
        tags: globs on names of tags, in the same way.
        pull_requests: whose pull requests into these branches may start runs.
        secret: name of the Prefect Secret block with the webhook's secret; None for the receiver's own.
        token: name of the Prefect Secret block with the token that commit statuses are sent with; None for no statuses.
        page: URL of the repository's page on its host, from the registration; the token is sent to that site and no other. None
            if there is no host.
    """

    deployment_id: str
    name: str
    repositories: frozenset[str]
    branches: tuple[str, ...] = ("*",)
    tags: tuple[str, ...] = ()
    secret: str | None = None
    token: str | None = None
    page: str | None = None
    pull_requests: PullRequests = PullRequests.NEVER

    def takes(self, event: Event) -> bool:
        """Whether a push or a pull request of this repository may start a run."""
        if isinstance(event, PullRequest):
            allowed = self.pull_requests.includes(is_fork=event.is_fork)
            return allowed and takes_name(self.branches, event.target_branch)
        return takes_name(self.tags, event.tag) if event.tag else takes_name(self.branches, event.branch)

    def site_of(self, repository: str) -> str | None:
        """The address of the host's pages, `https://github.com`, if this repository is the registered one.

        Args:
            repository: its path on the host, `owner/name`, as a payload says.
        """
        site = lowered(self.page or "").removesuffix(f"/{lowered(repository)}")
        return site if self.page is not None and site != self.page else None


@dataclass(frozen=True, slots=True)
class Touched:
    """What an event touches.

    Attributes:
        targets: the stages. None means everything, and an empty tuple means nothing.
        why: why it touches nothing, for the log.
    """

    targets: tuple[str, ...] | None
    why: str = "no stage matches the changed files"


@dataclass(frozen=True, slots=True)
class Started:
    """A flow run that waits or runs.

    Attributes:
        flow_run_id: Prefect's id of the run.
        url: its page in Prefect's UI; None if that is not known.
        waits_for_yes: whether it does not begin before a maintainer says yes.
    """

    flow_run_id: str
    url: str | None
    waits_for_yes: bool = False


class RunState(StrEnum):
    """The state of a flow run. ERROR is a run that ended without a result: it crashed, was cancelled, or Dockercise failed."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    GONE = "gone"

    @property
    def final(self) -> bool:
        """Whether the state cannot change any more."""
        return self is not RunState.PENDING


class HubDownError(WebhookError):
    """Prefect or the git host does not answer, or not as it should. The same call may succeed later.

    Args:
        message: what does not answer.
        hint: what to do.
        patience: seconds, counted from the arrival of the push, in which to try again; after them the push counts as refused.
    """

    def __init__(self, message: str, hint: str | None = None, *, patience: float = float("inf")) -> None:
        super().__init__(message, hint)
        self.patience = patience


class PushRefusedError(WebhookError):
    """The push can start nothing, now or later; for example, its YAML is broken or its commit is gone.

    The first line of the message becomes the description of the commit status. So it is the first finding with its place.
    """


class Hub(Protocol):
    """Knows what is registered, what a push touches, and how to start and follow runs.

    All methods block, may be called from several threads at once, and end by themselves within some minutes. They raise
    `HubDownError` if something does not answer. The caller then tries again for as long as the error says, so this error must
    not be raised for failures that are permanent. No message holds a secret.
    """

    def registrations(self) -> Sequence[Registered]:
        """All deployments that pushes may start, paused ones too; the receiver caches them.

        Raises:
            HubDownError: Prefect does not answer.
        """

    def secret(self, block: str) -> str | None:
        """The content of a Secret block; None if the block does not exist or is empty.

        Raises:
            HubDownError: Prefect does not answer.
        """

    def withdraw(self, registered: Registered, request: PullRequest, key: str) -> int:
        """Cancel the earlier runs of a pull request that have not ended, all but the one with this key. Returns how many.

        Raises:
            HubDownError: Prefect does not answer.
            PushRefusedError: the deployment is gone.
        """

    def settled(self, registered: Registered, request: PullRequest, waited: float) -> PullRequest:
        """The pull request with the commit to run, and the commit that it is compared with.

        Args:
            registered: a deployment that waits for it.
            request: what the delivery said.
            waited: seconds since the delivery. The host may merge the branches a moment after it.

        Raises:
            HubDownError: Prefect or the git host does not answer, or the host has not merged the branches yet.
            PushRefusedError: there are conflicts, or the pull request has another newest commit by now.
        """

    def touched(self, registered: Registered, event: Event) -> Touched:
        """What a push or a settled pull request touches, by the `triggers` in the repository at its commit.

        If a push's `changed` or `before` is None, or the two commits are unrelated, git knows more than the payload.

        Raises:
            HubDownError: Prefect or the git host does not answer.
            PushRefusedError: the pipeline at that commit cannot run.
        """

    def submit(self, registered: Registered, event: Event, targets: tuple[str, ...] | None, key: str) -> Started:
        """Start one flow run of the deployment for that event, at its commit; None means all targets.

        The key is Prefect's idempotency key. Any number of calls with the same key make one run, and all of them return it,
        even if an earlier call raised an error after the run was made.

        Raises:
            HubDownError: Prefect does not answer.
            PushRefusedError: the deployment is gone, or does not accept the parameters.
        """

    def states(self, flow_run_ids: Sequence[str]) -> Mapping[str, RunState]:
        """The states of runs, by id. Every given id is a key; the state is GONE if Prefect no longer knows the run.

        Raises:
            HubDownError: Prefect does not answer.
        """
