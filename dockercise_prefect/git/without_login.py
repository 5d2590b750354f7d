"""The address of a repository without anything secret in it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_SHORT_SSH = re.compile(r"(?:[\w.-]+@)?(?:[\w.-]+|\[[0-9a-fA-F:]+\]):(?![/:])[^@]*", re.ASCII)
_PATH = re.compile(r"[/.~].*|[^:@]*", re.DOTALL)


def without_login(address: str) -> str:
    """The address without a password, a token, and, except for ssh, a user. An ssh address does not work without its user.

    Args:
        address: as git has it: a URL, `user@host:path`, or a path.

    Returns:
        The address; empty if it is of another kind, because then a secret may be at any place in it.
    """
    if "://" not in address:
        return address if _PATH.fullmatch(address) or _SHORT_SSH.fullmatch(address) else ""
    try:
        parts = urlsplit(address)
        is_readable = parts.port is None or parts.port > 0
    except ValueError:
        return ""
    if not is_readable or ("@" in parts.path and parts.scheme != "file"):  # a `/` in a password ends the host too early
        return ""
    user = f"{parts.username}@" if parts.username and parts.scheme in {"ssh", "git+ssh"} else ""
    return f"{parts.scheme}://{user}{parts.netloc.rpartition('@')[2]}{parts.path}"
