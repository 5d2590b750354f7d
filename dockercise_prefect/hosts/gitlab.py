"""Commit statuses on GitLab (its documentation of the Commits API, “Set commit pipeline status”)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote

import httpx

from dockercise_prefect.hosts.status_http import check, post
from dockercise_prefect.hosts.statuses import CommitState, CommitStatus

_STATES = {
    CommitState.PENDING: "pending",
    CommitState.SUCCESS: "success",
    CommitState.FAILURE: "failed",
    CommitState.ERROR: "failed",  # GitLab has only one state for failure and error
}
_LONGEST_URL = 255
"""The most characters of a target_url. If it is longer, GitLab refuses the whole status."""

_BAD_REQUEST = 400


@dataclass(frozen=True, slots=True)
class GitLabStatuses:
    """Sends commit statuses to a GitLab.

    Attributes:
        site: the address of its pages.
        token: a token with the scope `api`, of a user who may push.
    """

    site: str
    token: str = field(repr=False)

    def send(self, status: CommitStatus) -> None:
        """See `Statuses.send`."""
        url = f"{self.site}/api/v4/projects/{quote(status.repository, safe='')}/statuses/{quote(status.commit, safe='')}"
        state = _STATES[status.state]
        target = status.target_url if status.target_url and len(status.target_url) <= _LONGEST_URL else None
        body = {"state": state, "name": status.context, "description": status.description, "target_url": target}
        answer = post(url, body, token=self.token, header="PRIVATE-TOKEN")
        if not _is_there(answer, state):
            check(answer)


def _is_there(answer: httpx.Response, state: str) -> bool:
    """Whether GitLab refuses a status because it already has this one or a later one."""
    if answer.status_code != _BAD_REQUEST:
        return False
    found = re.search(r"Cannot transition status via :\w+ from :(\w+)", answer.text)
    return found is not None and found[1] in {state, *(("running",) if state == "pending" else ())}
