"""GitHub's device flow: a user logs in by typing a short code on GitHub's page, on any device.

The rules are in GitHub's documentation, “Authorizing OAuth apps”, and in RFC 8628.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import requests

from dockercise_prefect.errors import HostError, HostRefusedError
from dockercise_prefect.hosts.github_errors import unreachable
from dockercise_prefect.hosts.github_site import GitHubSite

SCOPE = "repo"
"""What is asked for: deploy keys, webhooks and commit statuses, also of private repositories. A GitHub App ignores it."""

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SECONDS = 10
_USUAL_INTERVAL = 5
_SLOWER = 5
_LONGEST_CODE = 3600
_LONGEST_TOKEN = 10 * 365 * 24 * 3600
_MOST_FAILURES = 5
_BUSY, _FAILED, _NOT_FOUND = 429, 500, 404


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """A code for the user.

    Attributes:
        user_code: what the user types: `WDJB-MJHT`.
        address: the page where the user types it.
        seconds: how long the code can be used.
        interval: how many seconds must pass between two questions.
        secret: names this log-in to GitHub. Whoever has it gets the token.
    """

    user_code: str
    address: str
    seconds: int
    interval: int
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Granted:
    """What GitHub gives after the user has agreed: a token, and how many seconds it is valid; None for no limit."""

    token: str = field(repr=False)
    seconds: int | None


class DeviceFlow:
    """Logs users in to one GitHub.

    No message and no log holds the token or the secret of a code.

    Args:
        site: the GitHub.
        client_id: the id of an OAuth app or a GitHub App there, which allows the device flow. It is no secret.
        pause: waits for so many seconds.
        clock: seconds since some moment.
    """

    def __init__(
        self,
        site: GitHubSite,
        client_id: str,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._site = site
        self._client_id = client_id
        self._pause = pause
        self._clock = clock

    def start(self) -> DeviceCode:
        """Ask for a code.

        Raises:
            HostRefusedError: the app does not exist or does not allow the device flow, or the server is not GitHub.
            HostError: no answer, or GitHub is busy.
        """
        said = self._ask("/login/device/code", scope=SCOPE)
        if "error" in said:
            self._refuse(said)
        user_code, address, secret = (str(said.get(key, "")) for key in ("user_code", "verification_uri", "device_code"))
        if not (
            re.fullmatch(r"[\w-]{4,40}", user_code, re.ASCII) and re.fullmatch(r"https?://[\x21-\x7e]+", address) and secret
        ):
            raise self._not_github()
        seconds = min(_whole(said.get("expires_in"), _LONGEST_CODE), _LONGEST_CODE)
        interval = _whole(said.get("interval"), _USUAL_INTERVAL)
        return DeviceCode(user_code=user_code, address=address, seconds=seconds, interval=interval, secret=secret)

    def wait(self, code: DeviceCode) -> Granted:
        """Wait until the user has agreed.

        A question without an answer is asked again, up to five times, each time after twice the time.

        Raises:
            HostRefusedError: the user has refused.
            HostError: the code has expired, or GitHub does not answer any more.
        """
        deadline = self._clock() + code.seconds
        interval, failures = code.interval, 0
        while (left := deadline - self._clock()) > 0:
            self._pause(min(left, interval))
            try:
                said = self._ask("/login/oauth/access_token", device_code=code.secret, grant_type=_GRANT)
            except HostRefusedError:
                raise
            except HostError:
                failures += 1
                if failures == _MOST_FAILURES:
                    raise
                interval = max(1, interval * 2)
                continue
            failures = 0
            if "access_token" in said:
                return self._granted(said)
            if said.get("error") == "slow_down":
                interval = max(_whole(said.get("interval"), 0), interval + _SLOWER)
            elif said.get("error") != "authorization_pending":
                self._refuse(said)
        raise self._expired()

    def _granted(self, said: Mapping[str, Any]) -> Granted:
        token = said["access_token"]
        if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
            raise self._not_github()
        return Granted(token, min(_whole(said.get("expires_in"), 0), _LONGEST_TOKEN) or None)

    def _ask(self, path: str, **fields: str) -> Mapping[str, Any]:
        try:
            answer = requests.post(
                self._site.web + path,
                data={"client_id": self._client_id, **fields},
                headers={"Accept": "application/json", "User-Agent": "dockercise"},
                auth=_no_password,
                timeout=_SECONDS,
                allow_redirects=False,
            )
            status, said = answer.status_code, _json(answer)
        except requests.RequestException as error:
            # Raised without its cause, which holds the request and so the secret of the code.
            raise unreachable(error, self._site.host) from None
        if status == _BUSY or status >= _FAILED:
            raise HostError(f"{self._site.host} is too busy for a log-in (status {status})", "try again in a few minutes")
        if isinstance(said, dict) and ("error" in said or answer.ok):
            return said
        raise self._not_github()

    def _refuse(self, said: Mapping[str, Any]) -> NoReturn:
        host, error = self._site.host, str(said["error"])
        if error in {"expired_token", "token_expired"}:
            raise self._expired()
        if error == "access_denied":
            raise HostRefusedError(f"the log-in was refused on {host}", "to try again, type the command again")
        if error == "device_flow_disabled":
            hint = "its owner can enable the device flow in the app's settings on GitHub"
            raise HostRefusedError(f"the app {self._client_id} on {host} does not allow the device flow", hint)
        if error in {"incorrect_client_credentials", "Not Found"}:
            raise HostRefusedError(f"{host} has no app with the id {self._client_id}", "correct the setting `github_client_id`")
        plain = re.sub(r"[^\x20-\x7e]+", " ", error)[:100]
        raise HostRefusedError(f"{host} refused the log-in: {plain}", "to try again, type the command again")

    def _expired(self) -> HostError:
        return HostError("the code has expired", "type the command again, and enter the new code")

    def _not_github(self) -> HostRefusedError:
        return HostRefusedError(f"the server at {self._site.host} is not GitHub", "`--host` looks like github.example.com")


def _no_password(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Without this, requests would send what `~/.netrc` has for the host."""
    return request


def _json(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except (requests.exceptions.JSONDecodeError, RecursionError):
        return None


def _whole(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and value >= 0 else otherwise
