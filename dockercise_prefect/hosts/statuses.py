"""The interface for sending commit statuses, which a git host shows beside a commit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from dockercise_prefect.errors import WebhookError
from dockercise_prefect.hosts.kinds import HostKind

LONGEST_DESCRIPTION = 140
"""The most characters that GitHub keeps of a description. Descriptions are cut to this length before they are sent."""


class CommitState(StrEnum):
    """The states, in GitHub's words. Other hosts have their own words for them."""

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
        description: one line of at most LONGEST_DESCRIPTION characters.
        target_url: the run in Prefect's UI; None if there is no run.
        context: which line it is, `dockercise/<deployment>`. A later status with the same context replaces the earlier one.
    """

    repository: str
    commit: str
    state: CommitState
    description: str
    target_url: str | None
    context: str


class StatusLaterError(WebhookError):
    """The host does not answer, or cannot accept the status now (busy, rate limit). The same status may be sent again later."""

    retry = True


class StatusRefusedError(WebhookError):
    """The host refuses the status (no permission, no such repository or commit). Sending it again does not help."""

    retry = False


class Statuses(Protocol):
    """Sends commit statuses to one git host, with one token.

    `send` returns when the host has accepted the status. Sending the same status twice does no harm. `send` gives up by itself
    within half a minute, and may be called from several threads at once. No message holds the token, or the body of an answer.
    """

    def send(self, status: CommitStatus) -> None:
        """Show a status beside its commit.

        Raises:
            StatusLaterError: the host cannot accept it now; the same status may be sent again.
            StatusRefusedError: the host will never accept it.
        """


class OpenStatuses(Protocol):
    """Makes a sender, without connecting to the host."""

    def __call__(self, kind: HostKind, site: str, token: str) -> Statuses:
        """A sender for a host.

        Args:
            kind: the kind of host.
            site: the address of the host's pages, `https://github.com` or `http://127.0.0.1:3000`, without a `/` at its end.
            token: the token that the host accepts; it is sent only to that site's API.
        """
