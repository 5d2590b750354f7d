"""The addresses of a GitHub: github.com, a company's subdomain of ghe.com, or a GitHub Enterprise Server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from dockercise_prefect.errors import UsageError

PUBLIC_HOST = "github.com"
PUBLIC_API = "https://api.github.com"

_SUBDOMAIN_OF = ".ghe.com"
_LOCAL = {"localhost", "127.0.0.1", "::1"}
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class GitHubSite:
    """One GitHub.

    Attributes:
        host: its name, as a user knows it: `github.com`.
        web: the address of its pages, without a slash at the end.
        api: the address of its API.
    """

    host: str
    web: str
    api: str

    @classmethod
    def of(cls, host: str) -> GitHubSite:
        """The GitHub with this name, such as `github.example.com`; a port can follow.

        The rules are in GitHub's documentation of its REST API, for each of its products.

        Raises:
            UsageError: the text is not the name of a host.
        """
        name = host.lower()
        if not _HOST.fullmatch(name):
            raise UsageError(f"{host!r} is not the name of a host", "write it as github.com or github.example.com")
        if name == PUBLIC_HOST:
            return cls(name, "https://github.com", PUBLIC_API)
        if name.endswith(_SUBDOMAIN_OF):
            return cls(name, f"https://{name}", f"https://api.{name}")
        web = f"{'http' if name.partition(':')[0] in _LOCAL else 'https'}://{name}"
        return cls(name, web, f"{web}/api/v3")


def host_of_api(api: str) -> str:
    """The host of an API's address, after a check that a token may be sent there; `github.com` for GitHub's own API.

    Raises:
        UsageError: the text is not an address of an API, or the token would be sent in clear text.
    """
    try:
        parts = urlsplit(api)
        named = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        named = False
    if not named or parts.username is not None or parts.query or parts.fragment:
        raise UsageError("this is not an address of GitHub's API", "write it as https://github.example.com/api/v3")
    if parts.scheme == "http" and parts.hostname not in _LOCAL:
        raise UsageError(f"the token would be sent to {parts.hostname} in clear text", "write the address with https")
    return PUBLIC_HOST if api.rstrip("/") == PUBLIC_API else parts.netloc


def login_host(api: str) -> str:
    """The name of the GitHub that has this API, as a user logs in to it.

    Raises:
        UsageError: see `host_of_api`.
    """
    host = host_of_api(api).lower()
    return host.removeprefix("api.") if host.endswith(_SUBDOMAIN_OF) else host
