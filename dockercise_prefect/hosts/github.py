"""GitHub and GitHub Enterprise: names of repositories, deploy keys, webhooks and commit statuses.

PyGithub makes the calls. Two of its features are switched off. Its debug log holds the bodies of requests, and so the secret of
a webhook. And it would sleep for an hour if a rate limit requires that.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests
from github import Auth, Github, GithubException
from urllib3.util import Retry

from dockercise_prefect.errors import UsageError
from dockercise_prefect.hosts.github_errors import HOW_TO_MAKE_ONE, Call, Right, not_github, refused, unreachable
from dockercise_prefect.hosts.github_site import PUBLIC_API, host_of_api
from dockercise_prefect.hosts.statuses import CommitStatus

API_VERSION = "2022-11-28"
"""The version of GitHub's REST API that these calls are made for."""

MOST_REPOSITORIES = 1000
"""How many repositories a user can choose from. More would take longer than to type a name."""

_SECONDS = 10
_PER_PAGE = 100
_GONE = {404, 410}
_RETRIES = Retry(
    total=2,
    connect=0,
    backoff_factor=0.2,
    status_forcelist=(500, 502, 503, 504),
    allowed_methods=("GET", "DELETE"),  # calls that may be made twice
    raise_on_status=False,
    respect_retry_after_header=False,
)
_USER = re.compile(r"[A-Za-z0-9_.\[\]-]+", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?/(?!\.\.?$)[A-Za-z0-9._-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """What GitHub says about a repository.

    Attributes:
        full_name: its current name, `owner/name`.
        default_branch: the branch that a schedule runs.
        ssh_url: the address that a deploy key opens: `git@github.com:owner/name.git`.
        visibility: `public`, `private` or `internal`.
        administered: whether the token's user administers it; True if GitHub does not say.
    """

    full_name: str
    default_branch: str
    ssh_url: str
    visibility: str
    administered: bool


@dataclass(frozen=True, slots=True)
class User:
    """The user whose token is used.

    Attributes:
        name: the name of the account.
        scopes: the rights of the token; empty if GitHub does not tell them, as for fine-grained tokens.
    """

    name: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OfferedRepository:
    """A repository to choose.

    Attributes:
        name: `owner/name`.
        visibility: `public`, `private` or `internal`.
        pushed: the date of the last push, `2026-11-30`; empty if there was none.
    """

    name: str
    visibility: str
    pushed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Administered:
    """The repositories that a user administers. `is_complete` is False if there may be more of them."""

    repositories: tuple[OfferedRepository, ...]
    is_complete: bool


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A deploy key that GitHub knows; `public` does not include the comment."""

    id: int
    title: str
    public: str


@dataclass(frozen=True, slots=True)
class KnownHook:
    """A webhook that GitHub knows."""

    id: int
    url: str


class GitHub:
    """One GitHub, with one token.

    Methods block, for a minute at most. They raise `HostRefusedError` if the call cannot succeed (wrong token, missing right,
    no such repository), and `HostError` if it may succeed later (no answer, rate limit, a failure of GitHub itself). No message
    and no log holds the token or a webhook's secret. Repositories are named `owner/name`, as in `Repository.full_name`.

    Args:
        token: the token of a user or an app.
        api: the address of the API; for GitHub Enterprise, `https://HOST/api/v3`.
        origin: where the token came from, for messages.

    Raises:
        UsageError: the text of the token or of the address is not a valid one.
    """

    def __init__(self, token: str, api: str = PUBLIC_API, origin: str = "the environment") -> None:
        token = token.strip()
        if not re.fullmatch(r"[\x21-\x7e]+", token):
            raise UsageError(f"{origin} does not contain a token", HOW_TO_MAKE_ONE)
        self.host = host_of_api(api)
        self._origin = origin
        _hush()
        self._github = Github(
            auth=Auth.Token(token),
            base_url=api.rstrip("/"),
            user_agent="dockercise",
            timeout=_SECONDS,
            per_page=_PER_PAGE,
            retry=_RETRIES,
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,
            api_version=API_VERSION,
        )

    def repository(self, name: str) -> Repository:
        """What GitHub says about a repository. A renamed repository is found under its old name too."""
        checked_name(name)
        with self._calling(f"read {name}", Right.METADATA, repository=name) as call:
            _, found = self._github.requester.requestJsonAndCheck("GET", f"/repos/{name}")
            texts = {key: found.get(key) for key in ("full_name", "default_branch", "ssh_url")}
            if not all(isinstance(text, str) and text for text in texts.values()):
                raise not_github(call)
            permissions = found.get("permissions")
            return Repository(
                full_name=texts["full_name"],
                default_branch=texts["default_branch"],
                ssh_url=texts["ssh_url"],
                visibility=_visibility(found),
                administered=not isinstance(permissions, Mapping) or bool(permissions.get("admin")),
            )

    def user(self) -> User:
        """The user whose token this is."""
        with self._calling("read whose token it is", Right.METADATA) as call:
            headers, found = self._github.requester.requestJsonAndCheck("GET", "/user")
            name = found.get("login")
            if not isinstance(name, str) or not _USER.fullmatch(name):
                raise not_github(call)
            return User(name, tuple(re.findall(r"[\w:]+", str(headers.get("x-oauth-scopes") or ""), re.ASCII)))

    def administered(self) -> Administered:
        """The repositories that the token's user administers, those with the newest push first.

        GitHub is asked for the user's `MOST_REPOSITORIES` repositories with the newest push. Archived ones are left out, since
        nothing can be added to them.
        """
        found: list[OfferedRepository] = []
        is_whole = True
        with self._calling("list the repositories", Right.METADATA):
            for page in range(1, MOST_REPOSITORIES // _PER_PAGE + 1):
                asked = {"sort": "pushed", "per_page": _PER_PAGE, "page": page}
                headers, entries = self._github.requester.requestJsonAndCheck("GET", "/user/repos", parameters=asked)
                found += filter(None, map(_offered, entries))
                # GitHub leaves out organisations whose single sign-on the token has not passed, and says so.
                is_whole = is_whole and not str(headers.get("x-github-sso")).startswith("partial-results")
                if 'rel="next"' not in str(headers.get("link")):
                    return Administered(repositories=tuple(found), is_complete=is_whole)
        return Administered(repositories=tuple(found), is_complete=False)

    def host_keys(self) -> tuple[str, ...]:
        """The host keys of its ssh server, each `ssh-ed25519 AAAA…`; empty if they are not published."""
        with self._calling("read the keys of its ssh server", Right.METADATA):
            _, found = self._github.requester.requestJsonAndCheck("GET", "/meta")
        keys = found.get("ssh_keys") if isinstance(found, Mapping) else None
        return tuple(key for key in keys or () if isinstance(key, str) and re.fullmatch(r"[\w@.-]+ [A-Za-z0-9+/=]+", key))

    def keys(self, name: str) -> tuple[KnownKey, ...]:
        """The repository's deploy keys."""
        with self._calling(f"read the deploy keys of {name}", Right.KEYS):
            found = self._github.get_repo(name).get_keys()
            return tuple(KnownKey(key.id, key.title, " ".join(key.key.split()[:2])) for key in found)

    def add_key(self, name: str, title: str, public: str) -> int:
        """Add a deploy key that can read the repository, but not write to it; returns its id."""
        with self._calling(f"add a deploy key to {name}", Right.KEYS):
            return _number(self._github.get_repo(name).create_key(title, public, read_only=True).id)

    def remove_key(self, name: str, number: int) -> bool:
        """Remove a deploy key; returns whether it was there."""
        with self._calling(f"remove deploy key {number} of {name}", Right.KEYS):
            return _removed(self._github.get_repo(name).get_key(number).delete)

    def hooks(self, name: str) -> tuple[KnownHook, ...]:
        """The repository's webhooks."""
        with self._calling(f"read the webhooks of {name}", Right.HOOKS):
            found = self._github.get_repo(name).get_hooks()
            return tuple(KnownHook(hook.id, str(hook.config.get("url") or "")) for hook in found)

    def add_hook(self, name: str, url: str, secret: str, events: Sequence[str] = ("push",)) -> int:
        """Add a webhook that sends these events to a URL, signed with a secret; returns its id."""
        with self._calling(f"add a webhook to {name}", Right.HOOKS):
            made = self._github.get_repo(name).create_hook("web", _config(url, secret), events=[*events], active=True)
            return _number(made.id)

    def set_hook(self, name: str, number: int, url: str, secret: str, events: Sequence[str] = ("push",)) -> None:
        """Give an existing webhook the same settings as `add_hook` gives a new one."""
        with self._calling(f"change webhook {number} of {name}", Right.HOOKS):
            # PyGithub's own `edit` sends a `name`, which is not in GitHub's API description of this call.
            body = {"config": _config(url, secret), "events": [*events], "active": True}
            _, found = self._github.requester.requestJsonAndCheck("PATCH", f"/repos/{name}/hooks/{number}", input=body)
            _number(found["id"])

    def remove_hook(self, name: str, number: int) -> bool:
        """Remove a webhook; returns whether it was there."""
        with self._calling(f"remove webhook {number} of {name}", Right.HOOKS):
            return _removed(self._github.get_repo(name).get_hook(number).delete)

    def send(self, status: CommitStatus) -> None:
        """Show a status beside its commit."""
        with self._calling(f"set the status of a commit of {status.repository}", Right.STATUSES):
            body = {"state": status.state.value, "description": status.description, "context": status.context}
            if status.target_url is not None:
                body["target_url"] = status.target_url
            path = f"/repos/{quote(status.repository)}/statuses/{quote(status.commit, safe='')}"
            # PyGithub's own method belongs to a commit, and would request that commit first.
            _, found = self._github.requester.requestJsonAndCheck("POST", path, input=body)
            _number(found["id"])

    @contextmanager
    def _calling(self, what: str, right: Right, repository: str | None = None) -> Iterator[Call]:
        call = Call(what, right, self.host, self._origin, repository)
        # The errors are raised without their causes, which hold the request and so the token.
        try:
            yield call
        except GithubException as error:
            raise refused(error, call) from None
        except requests.RequestException as error:
            raise unreachable(error, call.host) from None
        except (AssertionError, RuntimeError, ValueError, TypeError, AttributeError, KeyError):
            # PyGithub raises this if an answer redirects to another host, or is not an answer of GitHub.
            raise not_github(call) from None


def checked_name(name: str) -> str:
    """The name of a repository, after a check.

    Raises:
        UsageError: the text is not the name of a repository.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is not a GitHub repository", "write it as OWNER/REPO, such as acme/infra")
    return name


def _offered(entry: Mapping[str, Any]) -> OfferedRepository | None:
    """The repository in an entry of a list; None if its user cannot connect it."""
    name, pushed = entry["full_name"], entry.get("pushed_at")
    if entry.get("archived") or not entry["permissions"]["admin"] or not _NAME.fullmatch(name):
        return None
    date = re.match(r"\d{4}-\d\d-\d\d", str(pushed or ""), re.ASCII)
    return OfferedRepository(name, _visibility(entry), date[0] if date else "")


def _visibility(entry: Mapping[str, Any]) -> str:
    said = entry.get("visibility")
    return said if said in {"public", "private", "internal"} else "private" if entry.get("private") else "public"


def _config(url: str, secret: str) -> dict[str, str]:
    return {"url": url, "content_type": "json", "secret": secret, "insecure_ssl": "0"}


def _number(value: object) -> int:
    """The id in an answer. If an answer has no id, for example a redirection, the call has changed nothing."""
    if not isinstance(value, int):
        raise TypeError("the answer contains no id")
    return value


def _removed(delete: Any) -> bool:
    try:
        delete()
    except GithubException as error:
        if error.status in _GONE:
            return False
        raise
    return True


def _hush() -> None:
    logging.getLogger("github.Requester").addFilter(_no_bodies)


def _no_bodies(record: logging.LogRecord) -> bool:
    """Whether a log record of PyGithub may be kept. A DEBUG record is a whole request, and may hold a webhook's secret."""
    return record.levelno > logging.DEBUG
