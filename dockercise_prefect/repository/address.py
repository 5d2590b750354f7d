"""Addresses of repositories, as git accepts them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dockercise_prefect.errors import UsageError

_SHORT_SSH = re.compile(r"(?:(?P<user>[\w.-]+)@)?(?P<host>[\w.-]+|\[[0-9a-fA-F:]+\]):(?!//)(?P<path>[^\s:]\S*)", re.ASCII)
"""The short form of an ssh address that git accepts: `git@github.com:owner/name.git`."""

_KINDS = {"https": "https", "http": "https", "ssh": "ssh", "git+ssh": "ssh", "file": "file"}

_TAKEN = "give an https, ssh or file URL, or a folder"

_SHOW_INSTEAD = "name a Prefect Secret block that contains it with `--credentials`"


@dataclass(frozen=True, slots=True)
class Address:
    """A repository's address without any secret.

    Attributes:
        url: the text that is passed to git: a URL, `user@host:path`, or an absolute path.
        host: the host in lower case, with the port if it is not the usual one; empty for this machine.
        path: the path on the host, without `.git`.
        kind: `https` (also plain http), `ssh` or `file`.
    """

    url: str
    host: str
    path: str
    kind: str

    @property
    def name(self) -> str:
        """The repository's own name: `infra`."""
        return self.path.rpartition("/")[2] or "repository"

    @property
    def is_clear_text(self) -> bool:
        """Whether a secret that is sent there could be read on the way."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}


def parse_address(text: str, working: Path) -> Address:
    """The address that a user wrote.

    Args:
        text: `https://…`, `ssh://…`, `user@host:path`, `file://…`, or a path, relative to `working`.
        working: an absolute folder.

    Raises:
        UsageError: the text is not one of these, or holds a password.
    """
    text = text.strip()
    if not text or text.startswith("-") or re.search(r"[\x00-\x1f\x7f]", text):
        raise UsageError(f"{text!r} is not an address of a repository", _TAKEN)
    if "://" in text:
        return _from_url(text)
    if "::" in text.partition("/")[0]:
        raise UsageError(f"{text.partition('::')[0]}:: addresses are not supported", _TAKEN)
    short = _SHORT_SSH.fullmatch(text)
    if short and not (working / text).exists():
        return Address(text, short["host"].lower(), _on_host(short["path"]), "ssh")
    folder = os.path.normpath(working / os.path.expanduser(text))  # noqa: PTH111  Path.expanduser() raises for unknown users
    return Address(folder, "", _without_suffix(folder), "file")


def _from_url(text: str) -> Address:
    scheme = text.partition("://")[0].lower()
    kind = _KINDS.get(scheme)
    if kind is None:
        raise UsageError(f"{scheme}:// addresses are not supported", _TAKEN)
    if " " in text:
        raise UsageError(f"{text!r} is not a URL: it contains a space", "write %20 for it")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise UsageError(f"this {scheme}:// address cannot be read", "check its host and port") from None
    if parts.password is not None or (parts.username is not None and kind == "https"):
        raise UsageError(f"the address at {parts.hostname} contains a user or a password, which would be logged", _SHOW_INSTEAD)
    if parts.query or parts.fragment:
        raise UsageError(f"the address of a repository cannot contain `?` or `#`: {scheme}://{parts.hostname}{parts.path}")
    if kind == "file":
        if parts.hostname not in {None, "localhost"}:
            raise UsageError(f"file:// addresses are for this machine, not for {parts.hostname}", "write file:///path")
        return Address(text, "", _without_suffix(unquote(parts.path)), "file")
    if not parts.hostname or not parts.path.strip("/"):
        raise UsageError(f"{text} does not name a repository", f"write {scheme}://host/owner/name")
    usual = {"https": 443, "http": 80, "ssh": 22, "git+ssh": 22}[scheme]
    host = parts.hostname.lower() + (f":{port}" if port not in {None, usual} else "")
    return Address(text, host, _on_host(unquote(parts.path)), kind)


def _without_suffix(path: str) -> str:
    """The path without the endings that git does not need."""
    return path.rstrip("/").removesuffix("/.git").removesuffix(".git")


def _on_host(path: str) -> str:
    return _without_suffix(path).strip("/")
