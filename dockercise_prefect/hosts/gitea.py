"""Commit statuses on Gitea, and on Forgejo, which has the same API (Gitea's API documentation: repoCreateStatus)."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote

from dockercise_prefect.hosts.status_http import check, post
from dockercise_prefect.hosts.statuses import CommitStatus


@dataclass(frozen=True, slots=True)
class GiteaStatuses:
    """Sends commit statuses to a Gitea.

    Attributes:
        site: the address of its pages.
        token: a token with the scope `write:repository`.
    """

    site: str
    token: str = field(repr=False)

    def send(self, status: CommitStatus) -> None:
        """See `Statuses.send`. Gitea has the same words for states as GitHub."""
        url = f"{self.site}/api/v1/repos/{quote(status.repository)}/statuses/{quote(status.commit, safe='')}"
        body = {
            "state": status.state.value,
            "description": status.description,
            "target_url": status.target_url,
            "context": status.context,
        }
        check(post(url, body, token=self.token, header="Authorization", prefix="token "))
