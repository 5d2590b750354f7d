"""The port from the receiver to registrations, git and Prefect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from dockercise_prefect.errors import WebhookError
from dockercise_prefect.webhook.payload.address import lowered
from dockercise_prefect.webhook.payload.push import Push


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A deployment that pushes to a repository start.

    Attributes:
        deployment_id: Prefect's id, as text.
        name: `flow/deployment`.
        repositories: addresses of the repository, in any spelling (`webhook.address.canonical` makes one of them all); a push
            that names any of them is meant.
        branches: globs on branch names, for `repository.branches`; a push to a branch that they do not take starts nothing.
        secret: name of the Prefect Secret block with the webhook's secret; None for the receiver's own.
        token: name of the Prefect Secret block with the token that commit statuses are sent with; None for no statuses.
        page: URL of the repository's page on its host, by what was registered; the token goes to that site and no other. None
            where there is no host.
    """

    deployment_id: str
    name: str
    repositories: frozenset[str]
    branches: tuple[str, ...] = ("*",)
    secret: str | None = None
    token: str | None = None
    page: str | None = None

    def site_of(self, repository: str) -> str | None:
        """Where the host's pages are, `https://github.com`, if what was registered is this repository there.

        Args:
            repository: its path on the host, `owner/name`, as a payload says.
        """
        site = lowered(self.page or "").removesuffix(f"/{lowered(repository)}")
        return site if self.page is not None and site != self.page else None


@dataclass(frozen=True, slots=True)
class Touched:
    """What a push touches: `targets` are stages, None is everything, and an empty tuple nothing."""

    targets: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Started:
    """A flow run that waits or goes on; `url` is its page in Prefect's UI, None when that is not known."""

    flow_run_id: str
    url: str | None


class RunState(StrEnum):
    """How a flow run is doing; ERROR is a run that ended without a verdict: crashed, cancelled, our own failure."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    GONE = "gone"

    @property
    def final(self) -> bool:
        """Whether it stays so."""
        return self is not RunState.PENDING


class HubDownError(WebhookError):
    """Prefect or the git host does not answer, or not as it should: the same call may succeed later.

    Args:
        message: what does not answer.
        hint: what to do.
        patience: seconds since the push came in which it is worth trying; after them it counts as refused.
    """

    def __init__(self, message: str, hint: str | None = None, *, patience: float = float("inf")) -> None:
        super().__init__(message, hint)
        self.patience = patience


class PushRefusedError(WebhookError):
    """The push can start nothing, now or later: its YAML is broken, its commit is gone.

    The message's first line becomes the description of the commit status, so it is the first finding with its place.
    """


class Hub(Protocol):
    """Knows what is registered, what a push touches, and how to start and follow runs.

    All methods block, may be called from several threads at once, and end within some minutes by themselves. Whatever fails
    because something does not answer is `HubDownError`; the caller tries again for as long as it says, so it must not be
    raised for what cannot change. No message holds a secret.
    """

    def registrations(self) -> Sequence[Registered]:
        """All deployments that pushes may start, paused ones too; the receiver caches them.

        Raises:
            HubDownError: Prefect does not answer.
        """

    def secret(self, block: str) -> str | None:
        """What a Secret block holds; None when there is no such block, or nothing in it.

        Raises:
            HubDownError: Prefect does not answer.
        """

    def touched(self, registered: Registered, push: Push) -> Touched:
        """What a push touches, by the `triggers` in the repository at the push's commit.

        Where `push.changed` is None, or `push.before` is, or the two commits are unrelated, git knows more than the payload.

        Raises:
            HubDownError: Prefect or the git host does not answer.
            PushRefusedError: what is at that commit cannot run.
        """

    def submit(self, registered: Registered, commit: str, targets: tuple[str, ...] | None, key: str) -> Started:
        """One flow run of the deployment at that commit; None is all targets.

        The key is Prefect's idempotency key: any number of calls with the same one make one run, and all return it, also when
        an earlier call raised after the run was made.

        Raises:
            HubDownError: Prefect does not answer.
            PushRefusedError: the deployment is gone, or does not take the parameters.
        """

    def states(self, flow_run_ids: Sequence[str]) -> Mapping[str, RunState]:
        """How runs are doing, by id; every id that was asked for is in it, GONE when Prefect knows it no more.

        Raises:
            HubDownError: Prefect does not answer.
        """
