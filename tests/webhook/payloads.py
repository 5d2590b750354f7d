"""Deliveries as hosts send them: GitHub's own examples, and the examples of Gitea's and GitLab's documentation."""

from __future__ import annotations

import base64
import copy
import functools
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from tests.support.npm_package import NpmPackage

EXAMPLES = NpmPackage(
    "@octokit/webhooks-examples",
    "7.6.1",
    "sha512-De6U3XB6O3DtCa7bKgCMzTHdeopqqZ6SNivMYJnK65ierKL1AnNIA0tkRYCRS7lwGT792d+Ps1WbfHlso6MynQ==",
)
SECRET = "It's a Secret to Everybody"
ZEROS = "0" * 40
BEFORE = "1" * 40

_numbers = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A request in the form in which it is sent."""

    headers: Mapping[str, str]
    body: bytes

    def with_headers(self, **headers: str) -> Sent:
        """The same request with other headers; `_` is written for `-`."""
        return replace(self, headers={**self.headers, **{name.replace("_", "-"): text for name, text in headers.items()}})

    def without(self, *names: str) -> Sent:
        """The same request without some headers."""
        return replace(self, headers={name: text for name, text in self.headers.items() if name not in names})


@functools.cache
def _all_examples() -> Mapping[str, Sequence[Mapping[str, Any]]]:
    events = json.loads(EXAMPLES.file("api.github.com/index.json").read_text(encoding="utf-8"))
    return {event["name"]: event["examples"] for event in events}


def github_examples(event: str) -> list[dict[str, Any]]:
    """GitHub's own payloads of an event."""
    return [copy.deepcopy(dict(example)) for example in _all_examples()[event]]


def github_events() -> list[str]:
    """The events that have payloads."""
    return sorted(_all_examples())


def commit_number(number: int) -> str:
    """The id of a commit, unique for each number."""
    return hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest()


def github_push(
    repository: str = "acme/infra",
    *,
    branch: str = "main",
    before: str = BEFORE,
    after: str | None = None,
    changed: Sequence[str] = ("app/main.py",),
    **others: Any,
) -> dict[str, Any]:
    """GitHub's example of a push to a branch, with another repository, branch, commits and files in it."""
    (example, *_) = [one for one in github_examples("push") if one["ref"] == "refs/heads/master"]
    text = json.dumps(example).replace("Codertocat/Hello-World", repository)
    payload: dict[str, Any] = json.loads(text)
    commit = after or commit_number(next(_numbers))
    payload |= {"ref": f"refs/heads/{branch}", "before": before, "after": commit, "created": before == ZEROS}
    payload["commits"] = [{**payload["commits"][0], "id": commit, "added": [], "modified": [*changed], "removed": []}]
    return payload | others


def github_sent(
    payload: Any, *, secret: str = SECRET, event: str = "push", identity: str | None = None, form: bool = False
) -> Sent:
    """A payload as GitHub sends it, signed."""
    body = json.dumps(payload).encode()
    if form:
        body = urlencode({"payload": body.decode()}).encode()
    return Sent(
        headers={
            "content-type": "application/x-www-form-urlencoded" if form else "application/json",
            "user-agent": "GitHub-Hookshot/044aadd",
            "x-github-delivery": identity or f"github-{next(_numbers)}",
            "x-github-event": event,
            "x-hub-signature-256": f"sha256={signature(body, secret)}",
        },
        body=body,
    )


def gitea_push(
    repository: str = "acme/infra", *, site: str = "https://git.example.org", branch: str = "main"
) -> dict[str, Any]:
    """A push as Gitea sends it (its documentation of webhooks)."""
    commit = commit_number(next(_numbers))
    return {
        "ref": f"refs/heads/{branch}",
        "before": BEFORE,
        "after": commit,
        "compare_url": f"{site}/{repository}/compare/{BEFORE}...{commit}",
        "commits": [{"id": commit, "message": "Go on", "added": ["a"], "removed": [], "modified": ["b"]}],
        "total_commits": 1,
        "repository": {
            "id": 140,
            "full_name": repository,
            "html_url": f"{site}/{repository}",
            "ssh_url": f"ssh://git@git.example.org:2222/{repository}.git",
            "clone_url": f"{site}/{repository}.git",
        },
        "pusher": {"login": "gitea"},
        "sender": {"login": "gitea"},
    }


def gitea_sent(payload: Any, *, secret: str = SECRET, name: str = "Gitea", identity: str | None = None) -> Sent:
    """A payload as Gitea or Forgejo sends it, signed: with GitHub's headers in addition to its own."""
    body = json.dumps(payload).encode()
    digest = signature(body, secret)
    delivery = identity or f"gitea-{next(_numbers)}"
    ours = {"event": "push", "delivery": delivery, "signature": digest}
    names = ["Gitea", *([name] if name != "Gitea" else [])]
    return Sent(
        headers={
            "content-type": "application/json",
            "x-github-delivery": delivery,
            "x-github-event": "push",
            "x-hub-signature-256": f"sha256={digest}",
            **{f"x-{one.lower()}-{key}": text for one in names for key, text in ours.items()},
        },
        body=body,
    )


def gitlab_push(
    repository: str = "acme/tools/infra", *, site: str = "https://gitlab.com", branch: str = "main"
) -> dict[str, Any]:
    """A push as GitLab sends it (its documentation of webhook events)."""
    commit = commit_number(next(_numbers))
    return {
        "object_kind": "push",
        "event_name": "push",
        "before": BEFORE,
        "after": commit,
        "ref": f"refs/heads/{branch}",
        "ref_protected": True,
        "checkout_sha": commit,
        "user_username": "jsmith",
        "project_id": 15,
        "project": {
            "id": 15,
            "web_url": f"{site}/{repository}",
            "git_ssh_url": f"git@gitlab.com:{repository}.git",
            "git_http_url": f"{site}/{repository}.git",
            "path_with_namespace": repository,
            "default_branch": "main",
        },
        "commits": [{"id": commit, "added": ["CHANGELOG"], "modified": ["app/controller/application.rb"], "removed": []}],
        "total_commits_count": 1,
    }


def gitlab_sent(payload: Any, *, token: str | None = SECRET, event: str = "Push Hook", identity: str | None = None) -> Sent:
    """A payload as GitLab sends it, with the secret token in a header."""
    delivery = identity or f"gitlab-{next(_numbers)}"
    headers = {"content-type": "application/json", "x-gitlab-event": event, "idempotency-key": delivery}
    return Sent(headers=headers | ({"x-gitlab-token": token} if token else {}), body=json.dumps(payload).encode())


def gitlab_signed(payload: Any, *, key: bytes, now: float | None = None) -> Sent:
    """A payload as GitLab sends it with a signing token (Standard Webhooks)."""
    sent = gitlab_sent(payload, token=None)
    identity, moment = sent.headers["idempotency-key"], str(int(time.time() if now is None else now))
    digest = hmac.new(key, f"{identity}.{moment}.".encode() + sent.body, hashlib.sha256).digest()
    signed = f"v1,{base64.b64encode(digest).decode()}"
    return sent.with_headers(webhook_id=identity, webhook_timestamp=moment, webhook_signature=signed)


def signature(body: bytes, secret: str) -> str:
    """HMAC-SHA256 in hexadecimal."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
