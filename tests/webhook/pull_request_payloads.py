"""Pull requests as hosts send them: GitHub's own example, and what the documentation of Gitea and GitLab describes."""

from __future__ import annotations

import json
from typing import Any

from tests.webhook.payloads import commit_number, github_examples

OWN_ID, FORK_ID = 186853002, 501


def github_pull_request(
    repository: str = "acme/infra",
    *,
    number: int = 7,
    action: str = "opened",
    head: str | None = None,
    source: str | None = None,
    source_branch: str = "topic",
    target_branch: str = "main",
    mergeable: bool | None = None,
) -> dict[str, Any]:
    """GitHub's example of a pull request that was opened, with other texts in it; `source` is a fork, None for no fork."""
    (example, *_) = [one for one in github_examples("pull_request") if one["action"] == "opened"]
    payload: dict[str, Any] = json.loads(json.dumps(example).replace("Codertocat/Hello-World", repository))
    request = payload["pull_request"]
    payload |= {"action": action, "number": number}
    request |= {"number": number, "mergeable": mergeable}
    request["head"] |= {"ref": source_branch, "sha": head or commit_number(number)}
    request["base"] |= {"ref": target_branch}
    if source is not None:
        fork = json.loads(json.dumps(request["head"]["repo"]).replace(repository, source))
        request["head"]["repo"] = {**fork, "id": FORK_ID, "fork": True}
    return payload


def gitea_pull_request(
    repository: str = "acme/infra",
    *,
    site: str = "https://git.example.org",
    number: int = 7,
    action: str = "opened",
    head: str | None = None,
    source: str | None = None,
    merge_base: str = "2" * 40,
) -> dict[str, Any]:
    """A pull request as Gitea sends it (its documentation of webhooks, and its API's PullRequest)."""

    def described(name: str, identity: int) -> dict[str, Any]:
        return {
            "id": identity,
            "full_name": name,
            "html_url": f"{site}/{name}",
            "ssh_url": f"git@git.example.org:{name}.git",
            "clone_url": f"{site}/{name}.git",
        }

    own = described(repository, 140)
    theirs = own if source is None else described(source, 141)
    return {
        "action": action,
        "number": number,
        "pull_request": {
            "number": number,
            "mergeable": False,
            "merge_base": merge_base,
            "head": {"label": "topic", "ref": "topic", "sha": head or commit_number(number), "repo_id": 1, "repo": theirs},
            "base": {"label": "main", "ref": "main", "sha": "3" * 40, "repo_id": 1, "repo": own},
        },
        "repository": own,
        "sender": {"login": "gitea"},
    }


def gitlab_merge_request(
    repository: str = "acme/tools/infra",
    *,
    site: str = "https://gitlab.com",
    number: int = 7,
    action: str = "open",
    head: str | None = None,
    source: str | None = None,
    **others: Any,
) -> dict[str, Any]:
    """A merge request as GitLab sends it (its documentation of merge request events)."""

    def described(name: str, identity: int) -> dict[str, Any]:
        return {
            "id": identity,
            "web_url": f"{site}/{name}",
            "git_ssh_url": f"git@gitlab.com:{name}.git",
            "git_http_url": f"{site}/{name}.git",
            "path_with_namespace": name,
            "default_branch": "main",
        }

    commit = head or commit_number(number)
    return {
        "object_kind": "merge_request",
        "event_type": "merge_request",
        "user": {"username": "root"},
        "project": described(repository, 1),
        "object_attributes": {
            "id": 99,
            "iid": number,
            "action": action,
            "source_branch": "topic",
            "target_branch": "main",
            "source_project_id": 1 if source is None else 14,
            "target_project_id": 1,
            "merge_status": "unchecked",
            "last_commit": {"id": commit, "message": "Go on"},
            "source": described(source or repository, 1 if source is None else 14),
            "target": described(repository, 1),
            **others,
        },
        "changes": {},
    }
