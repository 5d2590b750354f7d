"""One spelling for all addresses of a repository."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443, "ssh": 22, "git": 9418}
_SCP_LIKE = re.compile(r"(?:[^@/\s]+@)?(?P<host>[^:/@\s]+):(?!/?/)(?P<path>\S+)")
"""git's short way to write an ssh address, `git@host:owner/name.git` (git-clone(1), GIT URLS)."""


def canonical(address: str) -> str:
    """`host/owner/name`, whatever the scheme, the user, the letter case and the ending; on this machine the absolute path.

    Hosts that send pushes do not tell names apart by case, so neither do we; on disk, case counts. What is canonical already
    stays as it is.

    Args:
        address: of a repository, as git or a host writes it: https, ssh, git or file URL, `git@host:path`, absolute path.

    Raises:
        ValueError: it is no address.
    """
    text = address.strip()
    if text.startswith("/"):
        return _trimmed(posixpath.normpath("/" + text.lstrip("/"))) or "/"
    if "://" not in text:
        short = _SCP_LIKE.fullmatch(text)
        if short and not short["path"].partition("/")[0].isdecimal():
            return _of_host(short["host"], None, None, short["path"])
        text = f"https://{text}"
    parts = urlsplit(text)
    if parts.scheme == "file":
        return canonical(unquote(parts.path) or "/")
    return _of_host(parts.hostname, parts.port, parts.scheme, parts.path)


def canonical_all(addresses: Iterable[str]) -> frozenset[str]:
    """The canonical form of those that are addresses."""
    found = set()
    for address in addresses:
        try:
            found.add(canonical(address))
        except ValueError:
            continue
    return frozenset(found)


def _of_host(host: str | None, port: int | None, scheme: str | None, path: str) -> str:
    name = _trimmed(unquote(path).strip("/"))
    if not host or not name:
        raise ValueError("an address of a repository needs a host and a path")
    place = host if port is None or port == _DEFAULT_PORTS.get(scheme or "") else f"{host}:{port}"
    return f"{place}/{name}".casefold()


def _trimmed(path: str) -> str:
    return path.rstrip("/").removesuffix("/.git").removesuffix(".git").rstrip("/")
