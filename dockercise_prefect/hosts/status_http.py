"""Sends one commit status over HTTP; errors are temporary or final."""

from __future__ import annotations

import re
from collections.abc import Mapping

import httpx

from dockercise_prefect.hosts.statuses import StatusLaterError, StatusRefusedError

SECONDS = 10.0
"""For each part of a request: connecting, sending, waiting for the answer."""

_WHY = {
    401: "it does not accept the token",
    403: "the token has no right to it",
    404: "there is no such repository or commit, or the token may not see it",
}
_BUSY = {408, 409, 425, 429}
_FAILED = 500


def post(url: str, body: Mapping[str, str | None], *, token: str, header: str, prefix: str = "") -> httpx.Response:
    """Send a status; redirections are not followed, since they would carry the token.

    Args:
        url: of the host's API.
        body: its fields; those that are None are left out.
        token: what the host lets in.
        header: where it belongs.
        prefix: stands before it.

    Raises:
        StatusLaterError: the host does not answer, or has no time.
        StatusRefusedError: what is called a token cannot be one.
    """
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise StatusRefusedError("the Secret block holds no token", "store only the token in it")
    host = httpx.URL(url).netloc.decode("ascii")
    try:
        said = {name: value for name, value in body.items() if value is not None}
        answer = httpx.post(url, json=said, headers={header: prefix + token}, timeout=SECONDS, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL):
        # The cause is cut off: it holds the request, and with it the token.
        raise StatusLaterError(f"no answer from {host}", "check the network and the address") from None
    if answer.status_code in _BUSY or answer.status_code >= _FAILED:
        raise StatusLaterError(f"{host} is too busy for a commit status (status {answer.status_code})")
    return answer


def check(answer: httpx.Response) -> None:
    """See that the host has taken a status.

    Raises:
        StatusRefusedError: it has not.
    """
    if answer.is_success:
        return
    why = _WHY.get(answer.status_code, f"status {answer.status_code}")
    raise StatusRefusedError(f"{answer.url.netloc.decode('ascii')} does not accept a commit status: {why}")
