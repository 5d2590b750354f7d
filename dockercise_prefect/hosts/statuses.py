"""What a git host shows beside a commit: the port through which it is told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from dockercise_prefect.errors import WebhookError
from dockercise_prefect.hosts.kinds import HostKind

LONGEST_DESCRIPTION = 140
"""Characters that GitHub keeps of a description; descriptions are cut to it before they are sent anywhere."""


class CommitState(StrEnum):
    """GitHub's words; other hosts have words of their own for the same."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitStatus:
    """One line beside a commit.

    Attributes:
        repository: its path on the host, `owner/name`; GitLab's may have more parts.
        commit: the full hexadecimal id.
        state: how the run is doing.
        description: one line, LONGEST_DESCRIPTION characters at most.
        target_url: the run in Prefect's UI; None where there is no run.
        context: which line it is, `dockercise/<deployment>`: a later status of the same context takes the earlier one's place.
    """

    repository: str
    commit: str
    state: CommitState
    description: str
    target_url: str | None
    context: str


class StatusLaterError(WebhookError):
    """The host does not answer, or not now (busy, rate limit): the same status may be sent again later."""

    retry = True


class StatusRefusedError(WebhookError):
    """The host will not take it (no permission, no such repository or commit): sending it again does not help."""

    retry = False


class Statuses(Protocol):
    """Sends commit statuses to one git host, with one token.

    `send` returns when the host has taken the status; sending the same one twice does no harm. It gives up by itself within
    half a minute. It may be called from several threads at once. No message holds the token, or what a host answered in a body.
    """

    def send(self, status: CommitStatus) -> None:
        """Show a status beside its commit.

        Raises:
            StatusLaterError: not now; the same status may be sent again.
            StatusRefusedError: never.
        """


class OpenStatuses(Protocol):
    """Makes a sender; makes no connection yet."""

    def __call__(self, kind: HostKind, site: str, token: str) -> Statuses:
        """A sender for a host.

        Args:
            kind: the host's dialect.
            site: where the host's pages are, `https://github.com` or `http://127.0.0.1:3000`, without a `/` at its end.
            token: what the host lets in; goes nowhere but to that site's API.
        """
