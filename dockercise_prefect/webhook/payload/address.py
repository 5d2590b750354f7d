"""One canonical form for all addresses of a repository."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote, urlsplit

import idna

_DEFAULT_PORTS = {"http": 80, "https": 443, "ssh": 22, "git": 9418}
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
"""Of ASCII alone: beyond it, letters that differ in more than their case would become one."""

_HOST = re.compile(r"[^\W_][\w.-]*|\w")
_PATH = re.compile(r"[^\s:?#%@\\]+")
"""What every git host takes, and more; nothing that would mean something else when it is read again."""

_SCP_LIKE = re.compile(r"(?:[^@/\s]+@)?(?P<host>[^:/@\s]+):(?!/?/)(?P<path>\S+)")
"""git's short way to write an ssh address, `git@host:owner/name.git` (git-clone(1), GIT URLS)."""


def canonical(address: str) -> str:
    """`host/owner/name`, whatever the scheme, the user, the letter case and the ending; on this machine the absolute path.

    Hosts that send pushes do not tell names apart by case, so neither do we; on disk, case counts. A host has the name that DNS
    is asked for (IDNA, UTS #46 without transitional mappings). What is canonical already stays as it is.

    Args:
        address: of a repository, as git or a host writes it: https, ssh, git or file URL, `git@host:path`, absolute path.

    Raises:
        ValueError: it is not an address.
    """
    text = address.strip()
    if text.startswith("/"):
        return _on_disk(text)
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


def page_of(address: str) -> str | None:
    """Where a repository's page is, by the address that it was registered with; None where that is of this machine, or none.

    `http` stays so, and everything else has its pages at `https`.
    """
    try:
        place = canonical(address)
    except ValueError:
        return None
    if place.startswith("/"):
        return None
    scheme, _, _ = address.strip().partition("://")
    if scheme.lower() in {"http", "https"}:
        return f"{scheme.lower()}://{place}"
    host, _, path = place.partition("/")
    return f"https://{host.partition(':')[0]}/{path}"


def lowered(text: str) -> str:
    """Text in which letter case does not count."""
    return text.translate(_LOWER)


def _host_name(host: str) -> str:
    """A host as DNS knows it.

    Raises:
        ValueError: it is none (`idna.IDNAError` is one).
    """
    if not _HOST.fullmatch(host):
        raise ValueError("this is not a host")
    return lowered(host) if host.isascii() else idna.encode(host, uts46=True).decode("ascii")


def _of_host(host: str | None, port: int | None, scheme: str | None, path: str) -> str:
    name = _settled(lambda text: _trimmed(unquote(text).strip("/")), path)
    if not host or not name or not _PATH.fullmatch(name):
        raise ValueError("an address of a repository needs a host and a path")
    known = _host_name(host)
    place = known if port is None or port == _DEFAULT_PORTS.get(scheme or "") else f"{known}:{port}"
    return f"{place}/{lowered(name)}"


def _on_disk(path: str) -> str:
    return _settled(lambda text: _trimmed(posixpath.normpath("/" + text.strip().lstrip("/"))), path) or "/"


def _trimmed(path: str) -> str:
    return path.rstrip("/").removesuffix("/.git").removesuffix(".git")


def _settled(step: Callable[[str], str], text: str) -> str:
    """The text after as many steps as change it, so that what is canonical stays as it is."""
    after = step(text)
    while after != text:
        text, after = after, step(after)
    return text
