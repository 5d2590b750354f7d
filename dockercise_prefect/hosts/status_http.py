"""Sends one commit status over HTTP; errors are temporary or final."""

from __future__ import annotations

import re
from collections.abc import Mapping

import httpx

from dockercise_prefect.hosts.statuses import StatusLaterError, StatusRefusedError

SECONDS = 10.0
"""The time limit for each part of a request: connecting, sending, waiting for the answer."""

_WHY = {
    401: "it does not accept the token",
    403: "the token is not allowed to do this",
    404: "the repository or commit does not exist, or the token cannot see it",
}
_BUSY = {408, 409, 425, 429}
_FAILED = 500


def post(url: str, body: Mapping[str, str | None], *, token: str, header: str, prefix: str = "") -> httpx.Response:
    """Send a status. Redirections are not followed, because they would send the token to another place.

    Args:
        url: the URL in the host's API.
        body: the fields; those that are None are left out.
        token: the token that the host accepts.
        header: the name of the header that holds the token.
        prefix: the text before the token in that header.

    Raises:
        StatusLaterError: the host does not answer, or is busy.
        StatusRefusedError: the text is not a valid token.
    """
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise StatusRefusedError("the Secret block does not contain a token", "store only the token in it")
    host = httpx.URL(url).netloc.decode("ascii")
    try:
        said = {name: value for name, value in body.items() if value is not None}
        answer = httpx.post(url, json=said, headers={header: prefix + token}, timeout=SECONDS, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL):
        # The error is raised without its cause, which holds the request and so the token.
        raise StatusLaterError(f"no answer from {host}", "check the network and the address") from None
    if answer.status_code in _BUSY or answer.status_code >= _FAILED:
        raise StatusLaterError(f"{host} is too busy for a commit status (status {answer.status_code})")
    return answer


def check(answer: httpx.Response) -> None:
    """Check that the host has accepted a status.

    Raises:
        StatusRefusedError: the host has not accepted it.
    """
    if answer.is_success:
        return
    why = _WHY.get(answer.status_code, f"status {answer.status_code}")
    raise StatusRefusedError(f"{answer.url.netloc.decode('ascii')} does not accept a commit status: {why}")
