"""Makes the sender of commit statuses for a host."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dockercise_prefect.hosts.gitea import GiteaStatuses
from dockercise_prefect.hosts.github_statuses import GitHubStatuses
from dockercise_prefect.hosts.gitlab import GitLabStatuses
from dockercise_prefect.hosts.kinds import HostKind
from dockercise_prefect.hosts.statuses import Statuses

_SENDERS: Mapping[HostKind, Callable[[str, str], Statuses]] = {
    HostKind.GITHUB: GitHubStatuses,
    HostKind.GITEA: GiteaStatuses,
    HostKind.GITLAB: GitLabStatuses,
}


def open_statuses(kind: HostKind, site: str, token: str) -> Statuses:
    """Make a sender of statuses; see `OpenStatuses`."""
    return _SENDERS[kind](site, token.strip())
