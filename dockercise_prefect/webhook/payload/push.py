"""A push, the same for all git hosts."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter

from dockercise_prefect.hosts.kinds import HostKind
from dockercise_prefect.webhook.payload.content import read_payload
from dockercise_prefect.webhook.payload.delivery import MalformedError
from dockercise_prefect.webhook.payload.fields import Fields, listed, optional_fields, optional_text, shown, storable, text
from dockercise_prefect.webhook.payload.repository import repository_of

MOST_PATHS = 5000
"""The most changed paths that a push holds. If there are more, git is asked."""

MOST_COMMITS = 2048
"""GitHub lists no more commits of a push (its documentation of the push event)."""

MOST_FILES = 3000
"""GitHub lists no more files of a commit (its documentation of commits)."""

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_BRANCHES = "refs/heads/"
_TAGS = "refs/tags/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Commits that arrived on a branch, or a tag that arrived.

    Attributes:
        kind: the kind of host that sent it.
        repository: the repository's path on its host, `owner/name`.
        addresses: the repository's addresses in canonical form (`webhook.address.canonical`), sorted.
        branch: short name of the branch, `main` or `feature/one`; empty for a tag.
        before: the commit that the branch was at; None for a new branch, and for a tag.
        after: the commit that the branch is at now. For a tag, its commit, or its own object if the payload names no commit.
        forced: whether history was rewritten, if the payload says so; payloads of Gitea and GitLab do not.
        changed: paths that its commits added, changed and removed, sorted; None if the payload does not list all of them.
        sender: the host's name for the user who pushed; empty if the payload does not say.
        tag: short name of the tag; empty for a branch.
    """

    kind: HostKind
    repository: str
    addresses: tuple[str, ...]
    branch: str
    before: str | None
    after: str
    forced: bool
    changed: tuple[str, ...] | None
    sender: str
    tag: str = ""

    @property
    def created(self) -> bool:
        """Whether the branch is new."""
        return self.before is None

    @property
    def name(self) -> str:
        """The branch, or the tag with its folder: `main`, `refs/tags/v1.2`."""
        return f"{_TAGS}{self.tag}" if self.tag else self.branch

    def to_json(self) -> str:
        """The whole push as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, given: str) -> Push:
        """Read what `to_json` returned.

        Raises:
            ValueError: the text is something else.
        """
        return _PUSHES.validate_python(json.loads(given))


_PUSHES = TypeAdapter(Push)


@dataclass(frozen=True, slots=True)
class NoPush:
    """The delivery is of another event, or can start nothing; `reason` is for the host's list of deliveries."""

    reason: str


def read_push(kind: HostKind, body: bytes, *, form: bool) -> Push | NoPush:
    """Read the body of a push event.

    Args:
        kind: the kind of host that sent it.
        body: the body as received. Its proof must have been checked before, because reading it costs time and memory.
        form: whether the payload is a field of a form.

    Raises:
        MalformedError: the body is not JSON, or lacks something that a push must have.
    """
    payload = read_payload(body, form=form)
    repository = repository_of(kind, payload)
    ref = text(payload, "ref")
    folder = next((folder for folder in (_BRANCHES, _TAGS) if ref.startswith(folder) and ref != folder), None)
    if folder is None:
        return NoPush(f"`{shown(ref)}` is not a branch or tag; only pushes of those start runs")
    name = ref.removeprefix(folder)
    before, after = _commit(payload, "before"), _commit(payload, "after")
    if after is None:
        return NoPush(f"the {'tag' if folder is _TAGS else 'branch'} `{shown(name)}` was deleted: nothing to run")
    if folder is _TAGS:
        return Push(
            kind=kind,
            repository=repository.path,
            addresses=repository.addresses,
            branch="",
            before=None,
            after=_commit_of_tag(kind, payload) or after,
            forced=False,
            changed=None,
            sender=_sender(kind, payload),
            tag=name,
        )
    forced = payload.get("forced") is True
    plain = kind is HostKind.GITHUB and before is not None and not forced
    return Push(
        kind=kind,
        repository=repository.path,
        addresses=repository.addresses,
        branch=name,
        before=before,
        after=after,
        forced=forced,
        changed=_changed(payload) if plain else None,
        sender=_sender(kind, payload),
    )


def _changed(payload: Fields) -> tuple[str, ...] | None:
    """All paths in GitHub's list of commits; None if the list may be incomplete.

    Only GitHub says whether history was rewritten. If it was, the removed commits changed files too, and no payload lists them.
    An empty list says nothing about the changes.
    """
    commits = listed(payload, "commits")
    if not 0 < len(commits) < MOST_COMMITS:
        return None
    paths: set[str] = set()
    for commit in commits:
        if not isinstance(commit, dict):
            raise MalformedError("`commits` in the payload contains something that is not a commit")
        files = [path for name in ("added", "modified", "removed") for path in listed(commit, name, "commits[]")]
        if not all(isinstance(path, str) for path in files):
            raise MalformedError("`commits` in the payload lists something that is not a path")
        if len(files) >= MOST_FILES or not all(storable(path) for path in files):
            return None
        paths.update(files)
    return tuple(sorted(paths)) if len(paths) <= MOST_PATHS else None


def _sender(kind: HostKind, payload: Fields) -> str:
    if kind is HostKind.GITLAB:
        return optional_text(payload, "user_username") or ""
    sender = optional_fields(payload, "sender")
    return (optional_text(sender, "login", "sender") or "") if sender else ""


def _commit_of_tag(kind: HostKind, payload: Fields) -> str | None:
    """The commit of a tag, if the payload names it. For an annotated tag, `after` may be the tag's own object."""
    if kind is HostKind.GITLAB:
        commit = optional_text(payload, "checkout_sha")
    else:
        head = optional_fields(payload, "head_commit")
        commit = optional_text(head, "id", "head_commit") if head else None
    return commit if commit is not None and _COMMIT.fullmatch(commit) and commit.strip("0") else None


def _commit(payload: Fields, name: str) -> str | None:
    commit = text(payload, name)
    if not _COMMIT.fullmatch(commit):
        raise MalformedError(f"`{name}` in the payload is not a commit")
    return commit if commit.strip("0") else None
