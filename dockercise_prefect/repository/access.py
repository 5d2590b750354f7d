"""Credentials for git: derived from a secret for one command and removed after it."""

from __future__ import annotations

import base64
import os
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from dockercise_prefect.errors import UsageError
from dockercise_prefect.repository.address import Address
from dockercise_prefect.repository.command import configured

_USER = "x-access-token"
"""The user's name that is sent with a token. GitHub requires this one; GitLab and Gitea accept any."""

_HELPER = (
    """!f() { test "$1" = get && """
    """printf 'username=%s\\npassword=%s\\n' "$DOCKERCISE_GIT_USER" "$DOCKERCISE_GIT_PASSWORD"; }; f"""
)
"""A credential helper (gitcredentials(7)). Git runs it, and it prints values from git's own environment."""

_SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=30", "-o", "ServerAliveInterval=15")
"""The ssh command. It never prompts, and it notices if a host stops answering."""


@dataclass(frozen=True, slots=True)
class Access:
    """The credentials for a repository.

    Attributes:
        name: the name of the secret, never the secret itself; None if there is no secret.
        secret: a token, `user:password`, or a private key; None to use the user's own ssh agent or credential helper.
    """

    name: str | None = None
    secret: str | None = field(default=None, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that must be hidden if git prints them."""
        if self.secret is None:
            return ()
        return (self.secret, self.secret.strip(), _basic(self.secret.strip()))

    @contextmanager
    def environment(self, address: Address, known_hosts: Path) -> Iterator[Mapping[str, str]]:
        """Variables for a git process. The files that they name are removed when the body ends.

        Args:
            address: address of the repository; a secret is sent only to its host.
            known_hosts: the file that stores the keys of hosts that are contacted for the first time.

        Raises:
            UsageError: the secret does not fit the address.
        """
        if self.secret is None:
            yield _of_the_user(address, known_hosts)
        elif "PRIVATE KEY" in self.secret:
            if address.kind != "ssh":
                raise UsageError(
                    f"{self.name} contains a private key, but {address.url} is not an ssh address", _address_hint(address)
                )
            with _key_file(self.secret) as key:
                yield _with_key(key, known_hosts)
        else:
            yield self._with_token(address)

    def _with_token(self, address: Address) -> Mapping[str, str]:
        if address.kind != "https":
            hint = "give its https address, or a deploy key"
            raise UsageError(f"{self.name} contains a token, but {address.url} is not an https address", hint)
        if address.is_clear_text:
            raise UsageError(f"a token would be sent to {address.host} in clear text", "give its https address")
        secret = (self.secret or "").strip()
        if not re.fullmatch(r"[\x21-\x7e]+", secret):
            raise UsageError(f"{self.name} contains neither a token nor a private key", "fix the Secret block")
        parts = urlsplit(address.url)
        asking = f"credential.{parts.scheme}://{parts.netloc}.helper"
        user, _, password = _pair(secret).partition(":")
        # Git asks the helper for the secret only if this host requires it. An extra header would also be sent to any place that
        # the host redirects to. The user's own helpers are not asked, and do not get the secret. It is only in git's
        # environment: on the command line, every user of the machine could read it.
        said = {"DOCKERCISE_GIT_USER": user, "DOCKERCISE_GIT_PASSWORD": password}
        return configured((asking, ""), (asking, _HELPER)) | said


def _pair(secret: str) -> str:
    return secret if ":" in secret else f"{_USER}:{secret}"


def _basic(secret: str) -> str:
    return base64.b64encode(_pair(secret).encode()).decode("ascii")


def _of_the_user(address: Address, known_hosts: Path) -> Mapping[str, str]:
    own = {"GIT_SSH_COMMAND", "GIT_SSH"} & os.environ.keys()
    return {} if own or address.kind != "ssh" else {"GIT_SSH_COMMAND": shlex.join([*_SSH, *_trusting(known_hosts)])}


def _with_key(key: Path, known_hosts: Path) -> Mapping[str, str]:
    only = ["-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-F", os.devnull]
    return {"GIT_SSH_COMMAND": shlex.join([*_SSH, *only, *_trusting(known_hosts)]), "GIT_SSH_VARIANT": "ssh"}


def _trusting(known_hosts: Path) -> list[str]:
    """Options for ssh: the key of a new host is trusted the first time, and must stay the same from then on."""
    user = Path(os.path.expanduser("~")) / ".ssh/known_hosts"  # noqa: PTH111  Path.home() raises if there is no home folder
    files = " ".join(f'"{path}"' for path in (known_hosts, user))
    return ["-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={files}"]


@contextmanager
def _key_file(text: str) -> Iterator[Path]:
    """A file with a private key. It is in memory if the system supports that: then it ends with this process."""
    with ExitStack() as stack:
        if hasattr(os, "memfd_create"):
            handle = os.memfd_create("key")
            path = Path(f"/proc/{os.getpid()}/fd/{handle}")
        else:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dockercise-key-"))) / "key"
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        file = stack.enter_context(open(handle, "w", encoding="utf-8"))  # noqa: PTH123  a descriptor
        os.fchmod(handle, 0o600)  # ssh refuses a key that others may read
        file.write(text.replace("\r\n", "\n").strip() + "\n")
        file.flush()
        yield path


def _address_hint(address: Address) -> str:
    return f"give the address as git@{address.host}:{address.path}.git" if address.host else "remove the credentials"
