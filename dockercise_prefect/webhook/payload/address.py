"""One canonical form for all addresses of a repository."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote, urlsplit

import idna

_DEFAULT_PORTS = {"http": 80, "https": 443, "ssh": 22, "git": 9418}
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
"""Only ASCII letters. With other letters, two that differ in more than their case could become the same one."""

_HOST = re.compile(r"[^\W_][\w.-]*|\w")
_PATH = re.compile(r"[^\s:?#%@\\]+")
"""Takes every path that git hosts allow, and more. Excludes characters that would change the meaning when it is read again."""

_SCP_LIKE = re.compile(r"(?:[^@/\s]+@)?(?P<host>[^:/@\s]+):(?!/?/)(?P<path>\S+)")
"""git's short way to write an ssh address, `git@host:owner/name.git` (git-clone(1), GIT URLS)."""


def canonical(address: str) -> str:
    """`host/owner/name`, whatever the scheme, the user, the letter case and the ending; for this machine, the absolute path.

    Hosts that send pushes ignore letter case in names, so it is ignored here too. On disk, case counts. The host is written as
    in a DNS query (IDNA, UTS #46 without transitional mappings). An address that is already canonical does not change.

    Args:
        address: address of a repository, as git or a host writes it: https, ssh, git or file URL, `git@host:path`, or absolute
            path.

    Raises:
        ValueError: the text is not an address.
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
    """The canonical forms of the texts that are addresses; the others are left out."""
    found = set()
    for address in addresses:
        try:
            found.add(canonical(address))
        except ValueError:
            continue
    return frozenset(found)


def page_of(address: str) -> str | None:
    """The URL of a repository's page, from its registered address; None if that is on this machine or is not an address.

    `http` stays `http`. For every other scheme, the page is at `https`.
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
    """The text with its ASCII letters in lower case."""
    return text.translate(_LOWER)


def _host_name(host: str) -> str:
    """A host as DNS knows it.

    Raises:
        ValueError: the text is not the name of a host (`idna.IDNAError` is a ValueError).
    """
    if not _HOST.fullmatch(host):
        raise ValueError("this is not a host")
    return lowered(host) if host.isascii() else idna.encode(host, uts46=True).decode("ascii")


def _of_host(host: str | None, port: int | None, scheme: str | None, path: str) -> str:
    name = _settled(lambda text: _trimmed(unquote(text).strip("/")), path)
    if not host or not name or not _PATH.fullmatch(name):
        raise ValueError("the address of a repository needs a host and a path")
    known = _host_name(host)
    place = known if port is None or port == _DEFAULT_PORTS.get(scheme or "") else f"{known}:{port}"
    return f"{place}/{lowered(name)}"


def _on_disk(path: str) -> str:
    return _settled(lambda text: _trimmed(posixpath.normpath("/" + text.strip().lstrip("/"))), path) or "/"


def _trimmed(path: str) -> str:
    return path.rstrip("/").removesuffix("/.git").removesuffix(".git")


def _settled(step: Callable[[str], str], text: str) -> str:
    """Repeats the step until the text no longer changes, so that a canonical address does not change."""
    after = step(text)
    while after != text:
        text, after = after, step(after)
    return text
