"""A pull request, the same for all git hosts. GitLab calls it a merge request."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter

from dockercise_prefect.errors import UsageError
from dockercise_prefect.hosts.kinds import HostKind
from dockercise_prefect.repository.revision import check_commit, check_ref
from dockercise_prefect.webhook.payload.address import lowered
from dockercise_prefect.webhook.payload.content import read_payload
from dockercise_prefect.webhook.payload.delivery import MalformedError
from dockercise_prefect.webhook.payload.fields import Fields, needed_fields, number, optional_fields, optional_text, shown, text
from dockercise_prefect.webhook.payload.push import NoPush
from dockercise_prefect.webhook.payload.repository import repository_of

PULL_REQUEST_NAME = "pull request "
"""The beginning of a pull request's name. No branch can have such a name."""

_STARTS = {"opened", "reopened", "synchronize", "synchronized", "open", "reopen"}
"""The actions that bring a new state of the pull request: those of GitHub, Gitea (`synchronized`) and GitLab."""

_ENDS = {"closed", "close", "merge"}

_EDITS = {"edited", "update"}
"""These start something only if they bring new commits or another target branch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """A pull request that was opened, changed or closed.

    Attributes:
        kind: the kind of host that sent it.
        repository: the path of the target's repository on its host, `owner/name`.
        addresses: the addresses of that repository in canonical form, sorted.
        number: the number of the pull request in that repository.
        head: the newest commit of the source branch; empty if a closed one has none any more.
        source: the path of the repository with the source branch; empty if that repository was removed.
        source_branch: the short name of the branch with the changes.
        target_branch: the short name of the branch that the changes are for.
        is_fork: whether the source branch is in another repository. This is so unless the host's ids say that it is the same.
        is_closed: whether it was closed or merged.
        has_conflicts: whether the host says that it cannot be merged.
        sender: the host's name for the user who did this; empty if the payload does not say.
        merge_base: the commit that both branches have in common, if the payload says so.
        commit: the commit to run, which is not known from a payload.
        base: the commit of the target branch that `commit` is compared with; empty if it is not known.
    """

    kind: HostKind
    repository: str
    addresses: tuple[str, ...]
    number: int
    head: str
    source: str
    source_branch: str
    target_branch: str
    is_fork: bool
    is_closed: bool
    has_conflicts: bool = False
    sender: str = ""
    merge_base: str = ""
    commit: str = ""
    base: str = ""

    @property
    def name(self) -> str:
        """The pull request in the log: `pull request 7`."""
        return f"{PULL_REQUEST_NAME}{self.number}"

    @property
    def after(self) -> str:
        """The commit that gets the statuses."""
        return self.head

    def to_json(self) -> str:
        """All of it as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, given: str) -> PullRequest:
        """Read what `to_json` returned.

        Raises:
            ValueError: the text is something else.
        """
        return _PULL_REQUESTS.validate_python(json.loads(given))


_PULL_REQUESTS = TypeAdapter(PullRequest)


def read_pull_request(kind: HostKind, body: bytes, *, form: bool) -> PullRequest | NoPush:
    """Read the body of an event about a pull request.

    Args:
        kind: the kind of host that sent it.
        body: the body as received. Its proof must have been checked before.
        form: whether the payload is a field of a form.

    Raises:
        MalformedError: the body is not JSON, or lacks something that a pull request must have.
    """
    payload = read_payload(body, form=form)
    return _of_gitlab(payload) if kind is HostKind.GITLAB else _like_github(kind, payload)


def _like_github(kind: HostKind, payload: Fields) -> PullRequest | NoPush:
    """GitHub's documentation of the event `pull_request`; Gitea sends the same fields."""
    action = text(payload, "action")
    # An edit names what it changed: GitHub calls the target branch `base`, Gitea calls it `ref`.
    if not _counts(action, brings_changes=bool({"base", "ref"} & {*(optional_fields(payload, "changes") or {})})):
        return _nothing(action)
    repository = repository_of(kind, payload)
    request = needed_fields(payload, "pull_request")
    head, base = needed_fields(request, "head", "pull_request"), needed_fields(request, "base", "pull_request")
    own = needed_fields(payload, "repository")
    target = needed_fields(base, "repo", "pull_request.base")
    if not _is_same(own, target):
        raise MalformedError("`pull_request.base.repo` in the payload is not the repository of the delivery")
    source = optional_fields(head, "repo", "pull_request.head")
    sender = optional_fields(payload, "sender")
    return PullRequest(
        kind=kind,
        repository=repository.path,
        addresses=repository.addresses,
        number=number(payload, "number"),
        head=_commit(text(head, "sha", "pull_request.head"), "pull_request.head.sha"),
        source=(optional_text(source, "full_name", "pull_request.head.repo") or "") if source else "",
        source_branch=_branch(head, "ref", "pull_request.head"),
        target_branch=_branch(base, "ref", "pull_request.base"),
        is_fork=source is None or not _is_same(own, source),
        is_closed=action in _ENDS,
        # Gitea says `false` too while it has not checked yet.
        has_conflicts=kind is HostKind.GITHUB and request.get("mergeable") is False,
        sender=(optional_text(sender, "login", "sender") or "") if sender else "",
        merge_base=_optional_commit(request, "merge_base"),
    )


def _of_gitlab(payload: Fields) -> PullRequest | NoPush:
    """GitLab's documentation of merge request events."""
    request = needed_fields(payload, "object_attributes")
    action = optional_text(request, "action", "object_attributes") or ""
    brings = bool(request.get("oldrev")) or "target_branch" in (optional_fields(payload, "changes") or {})
    if not _counts(action, brings_changes=brings):
        return _nothing(action)
    repository = repository_of(HostKind.GITLAB, payload)
    target = number(request, "target_project_id", "object_attributes")
    if number(needed_fields(payload, "project"), "id", "project") != target:
        raise MalformedError("`object_attributes.target_project_id` in the payload is not the project of the delivery")
    is_closed = action in _ENDS
    commit = optional_fields(request, "last_commit", "object_attributes")
    if commit is None and not is_closed:
        raise MalformedError("the payload lacks `object_attributes.last_commit`")
    source = optional_fields(request, "source", "object_attributes")
    user = optional_fields(payload, "user")
    inside = "object_attributes.last_commit"
    return PullRequest(
        kind=HostKind.GITLAB,
        repository=repository.path,
        addresses=repository.addresses,
        number=number(request, "iid", "object_attributes"),
        head=_commit(text(commit, "id", inside), f"{inside}.id") if commit else "",
        source=(optional_text(source, "path_with_namespace", "object_attributes.source") or "") if source else "",
        source_branch=_branch(request, "source_branch", "object_attributes"),
        target_branch=_branch(request, "target_branch", "object_attributes"),
        is_fork=not _is_number(request.get("source_project_id")) or request["source_project_id"] != target,
        is_closed=is_closed,
        has_conflicts=request.get("merge_status") == "cannot_be_merged",
        sender=(optional_text(user, "username", "user") or "") if user else "",
    )


def _counts(action: str, *, brings_changes: bool) -> bool:
    return action in _STARTS | _ENDS or (action in _EDITS and brings_changes)


def _nothing(action: str) -> NoPush:
    return NoPush(f"the action `{shown(action)}` of a pull request starts nothing")


def _is_same(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Whether two descriptions are of one repository. Both the id and the name must be there and the same."""
    names = [entry.get("full_name") for entry in (one, other)]
    lower = [lowered(name) for name in names if isinstance(name, str) and name]
    return _is_number(one.get("id")) and one.get("id") == other.get("id") and len(lower) == len(names) and len({*lower}) == 1


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _branch(fields: Fields, name: str, inside: str) -> str:
    branch = text(fields, name, inside)
    try:
        check_ref(branch)
    except UsageError as error:
        raise MalformedError(f"`{inside}.{name}` in the payload is not the name of a branch") from error
    return branch


def _commit(commit: str, where: str) -> str:
    try:
        check_commit(commit)
    except UsageError as error:
        raise MalformedError(f"`{where}` in the payload is not a commit") from error
    return commit


def _optional_commit(fields: Fields, name: str) -> str:
    commit = fields.get(name)
    return commit if isinstance(commit, str) and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit) else ""
