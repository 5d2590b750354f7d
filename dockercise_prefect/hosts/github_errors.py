"""Turns errors of GitHub's API into messages: what was tried, why it failed, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import requests
from github import GithubException

from dockercise_prefect.errors import HostError, HostRefusedError

_RATE_LIMITED = 429
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _GONE, _UNPROCESSABLE = 401, 403, 404, 410, 422
_FAILED = 500
_LONGEST_ANSWER = 300

HOW_TO_MAKE_ONE = (
    "log in with `dockercise login github`, or create a token on GitHub, under Settings, Developer settings, "
    "Fine-grained tokens; "
    "`dockercise connect --help` lists the permissions that it needs"
)
"""How a user gets a token."""


class Right(Enum):
    """A right that a call needs: its name for fine-grained tokens, and the scope of a classic token."""

    METADATA = ("Metadata: read", "repo")
    KEYS = ("Administration: read and write", "repo")
    HOOKS = ("Webhooks: read and write", "admin:repo_hook")
    STATUSES = ("Commit statuses: read and write", "repo:status")

    def __str__(self) -> str:
        fine_grained, classic = self.value
        return f"“{fine_grained}” (a classic token: `{classic}`)"


class NoRepositoryError(HostRefusedError):
    """There is no such repository, or the token may not see it. GitHub gives the same answer in both cases."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call to GitHub.

    Attributes:
        what: what it does, as the words after “to”: `add a deploy key to acme/infra`.
        right: the right that the token needs.
        host: the host of GitHub, for the user.
        token_name: where the token came from: `GITHUB_TOKEN`, `the login of octocat`; never the token itself.
        repository: the repository, if an answer of 404 means that the repository itself is missing; else None.
    """

    what: str
    right: Right
    host: str
    token_name: str
    repository: str | None = None


def refused(error: GithubException, call: Call) -> HostError:
    """The error for an answer that is not a success."""
    headers = {name.lower(): str(value) for name, value in (error.headers or {}).items()}
    status = error.status
    if status == _UNAUTHORIZED:
        hint = f"has it expired, or been revoked? {HOW_TO_MAKE_ONE}"
        return HostRefusedError(f"{call.host} does not accept the token in {call.token_name}", hint)
    if _is_rate_limit(status, headers, error):
        return HostError(f"{call.host} received too many requests with the token in {call.token_name}", _when(headers))
    if status == _FORBIDDEN:
        return _forbidden(error, headers, call)
    if status in {_NOT_FOUND, _GONE}:
        return _not_found(call)
    if status >= _FAILED:
        return HostError(f"{call.host} failed to {call.what} (status {status})", "try again in a few minutes")
    said = _said(error.data)
    return HostRefusedError(f"{call.host} refused to {call.what} (status {status})", said and f"it says: {said}")


def unreachable(error: requests.RequestException, host: str) -> HostError:
    """The error for a connection that failed. It takes no text from the original error, which may hold what was sent."""
    if isinstance(error, requests.exceptions.SSLError):
        hint = "does it use https? To trust its certificate, set REQUESTS_CA_BUNDLE"
        return HostError(f"no secure connection to {host}", hint)
    if isinstance(error, requests.exceptions.ProxyError):
        return HostError(f"cannot reach {host}: the proxy refused the connection", "see HTTPS_PROXY and NO_PROXY")
    if isinstance(error, requests.exceptions.Timeout):
        return HostError(f"{host} did not answer in time", "check the network, and try again")
    return HostError(f"no answer from {host}", "check the network and the address")


def not_github(call: Call) -> HostRefusedError:
    """The error for an answer that cannot come from GitHub."""
    return HostRefusedError(
        f"the server at {call.host} is not GitHub's API", "`--api` looks like https://github.example.com/api/v3"
    )


def _forbidden(error: GithubException, headers: Mapping[str, str], call: Call) -> HostError:
    sign_on = re.search(r"url=(https://[\x21-\x7e]+)", headers.get("x-github-sso", ""))
    if sign_on:
        return HostRefusedError(
            f"the organisation requires single sign-on before the token in {call.token_name} can {call.what}",
            f"authorise it at {sign_on[1]}",
        )
    asked = headers.get("x-accepted-github-permissions")
    more = f"; {call.host} requires {_one_line(asked)}" if asked else ""
    if said := _said(error.data):
        more += f", and says: {said}"
    return HostRefusedError(f"the token in {call.token_name} is not allowed to {call.what}", f"it needs {call.right}{more}")


def _not_found(call: Call) -> HostError:
    if call.repository:
        return NoRepositoryError(
            f"{call.host} has no repository {call.repository}, or the token in {call.token_name} cannot see it",
            "is the name right, and does the token include this repository?",
        )
    # GitHub gives the same answer for what does not exist and for what the token may not see.
    return HostRefusedError(
        f"the token in {call.token_name} is not allowed to {call.what}, or it does not exist", f"it needs {call.right}"
    )


def _is_rate_limit(status: int, headers: Mapping[str, str], error: GithubException) -> bool:
    from github import RateLimitExceededException  # noqa: PLC0415  imported only if there is an error

    if status == _RATE_LIMITED or isinstance(error, RateLimitExceededException):
        return True
    return status == _FORBIDDEN and ("retry-after" in headers or headers.get("x-ratelimit-remaining") == "0")


def _when(headers: Mapping[str, str]) -> str:
    """When to try again, by the rules in GitHub's documentation of rate limits."""
    wait, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
    if wait.isdecimal():
        return f"try again in {wait} seconds"
    if re.fullmatch(r"[0-9]{1,11}", reset):
        return f"try again after {datetime.fromtimestamp(int(reset), UTC):%H:%M UTC on %d %B %Y}"
    return "try again in a few minutes"


def _said(data: Any) -> str | None:
    """The sentences in an answer's body: those of its `errors`, else its `message`."""
    if not isinstance(data, Mapping):
        return None
    errors = data.get("errors")
    texts = [_of(entry) for entry in errors] if isinstance(errors, list) else []
    found = "; ".join(text for text in texts if text) or data.get("message")
    return _one_line(found) if isinstance(found, str) else None


def _of(entry: Any) -> str:
    if isinstance(entry, Mapping):
        return str(entry.get("message") or f"{entry.get('field') or entry.get('resource')}: {entry.get('code')}")
    return entry if isinstance(entry, str) else ""


def _one_line(text: str) -> str:
    return re.sub(r"[\x00-\x20\x7f-\x9f]+", " ", text).strip()[:_LONGEST_ANSWER]
