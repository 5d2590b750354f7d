"""The parts of a connection to a repository, and their names. The parts are found again by their names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from dockercise_prefect.connect.deploy_key import DeployKey, fingerprint
from dockercise_prefect.errors import UsageError
from dockercise_prefect.hosts.github import KnownHook, KnownKey

_PUBLIC_HOST = "github.com"


@dataclass(frozen=True, slots=True)
class BlockNames:
    """The Secret blocks of one repository: the private half of the deploy key, the webhook's secret, the token for statuses."""

    key: str
    webhook: str
    token: str

    @classmethod
    def of(cls, host: str, repository: str) -> BlockNames:
        """The names of the blocks, `dockercise-acme-infra-key` and so on; no two repositories have the same names.

        Args:
            host: the host of GitHub.
            repository: `owner/name`; letter case does not matter.
        """
        text = repository.lower()
        owner, _, name = text.partition("/")
        words = re.sub(r"[^a-z0-9]+", "-", f"{owner}-{name}").strip("-")
        # If another repository could have the same words, a digest makes the names different.
        if host != _PUBLIC_HOST or "-" in owner or words != f"{owner}-{name}":
            words += "-" + hashlib.sha256(f"{host.lower()}/{text}".encode()).hexdigest()[:8]
        return cls(*(f"dockercise-{words}-{part}" for part in ("key", "webhook", "token")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What is needed to register a connected repository.

    Attributes:
        url: its ssh address.
        credentials: name of the Secret block with the private half of its deploy key.
        webhook_secret: name of the Secret block with the secret that pushes are signed with.
        statuses: name of the Secret block with the token for commit statuses; None for no statuses.
        host_keys: the host keys of its ssh server, as lines of a known_hosts file.
    """

    url: str
    credentials: str
    webhook_secret: str
    statuses: str | None
    host_keys: tuple[str, ...]


class Registrar(Protocol):
    """Makes deployments of repositories, and removes them.

    Methods raise `DockerciseError` if they fail, for example because of YAML that does not compile. Then nothing is changed.
    Deployments are named `flow/deployment`.
    """

    def register(self, opening: Opening) -> str:
        """Read and compile the repository, and create or update its deployment; returns the deployment's name."""

    def registered(self, credentials: str) -> Sequence[str]:
        """The deployments whose repository is opened with that Secret block."""

    def remove(self, deployment: str) -> bool:
        """Remove a deployment; returns whether it was there."""


def key_title(webhook_url: str) -> str:
    """The title of a deploy key on GitHub. It shows people and `disconnect` which connection the key belongs to."""
    return f"dockercise for {webhook_url}"


def webhook_of(key: KnownKey) -> str | None:
    """The webhook's address in the title of a key that `connect` made."""
    return key.title.removeprefix("dockercise for ") if key.title.startswith("dockercise for ") else None


def own_keys(keys: Sequence[KnownKey], private: DeployKey | None, webhook_url: str | None) -> tuple[KnownKey, ...]:
    """The deploy keys of this connection: the one whose private half is stored, and those with the title for the webhook."""
    titles = {key_title(webhook_url)} if webhook_url else set()
    prints = {private.fingerprint} if private else set()
    return tuple(key for key in keys if key.title in titles or fingerprint(key.public) in prints)


def own_hooks(hooks: Sequence[KnownHook], webhook_url: str) -> tuple[KnownHook, ...]:
    """The webhooks that send to an address."""
    return tuple(hook for hook in hooks if hook.url.rstrip("/") == webhook_url.rstrip("/"))


def checked_webhook_url(url: str) -> str:
    """The address that pushes are sent to, after a check.

    Raises:
        UsageError: the text is not an address, or holds a password, which GitHub would show.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or re.search(r"[\x00-\x20\x7f]", url):
        raise UsageError(f"{url!r} is not an address that pushes can be sent to", "write it as https://hooks.example.org")
    if parts.username is not None or parts.password is not None:
        raise UsageError("the webhook's address contains a user or a password, which GitHub would show", "remove them")
    return url
