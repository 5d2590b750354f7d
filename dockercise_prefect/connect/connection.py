"""What a connection to a repository consists of, and how its parts are called: by the names, one finds them again."""

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
        """`dockercise-acme-infra-key` and so on; no two repositories have the same.

        Args:
            host: where GitHub is.
            repository: `owner/name`, in any case.
        """
        text = repository.lower()
        owner, _, name = text.partition("/")
        words = re.sub(r"[^a-z0-9]+", "-", f"{owner}-{name}").strip("-")
        # Where the words could be another repository's as well, a digest tells them apart.
        if host != _PUBLIC_HOST or "-" in owner or words != f"{owner}-{name}":
            words += "-" + hashlib.sha256(f"{host.lower()}/{text}".encode()).hexdigest()[:8]
        return cls(*(f"dockercise-{words}-{part}" for part in ("key", "webhook", "token")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a registration of a connected repository is told.

    Attributes:
        url: its ssh address.
        credentials: Secret block with the private half of its deploy key.
        webhook_secret: Secret block with what pushes are signed with.
        statuses: Secret block with the token for commit statuses; None for no statuses.
        host_keys: what its ssh server proves itself with, as lines of a known_hosts file.
    """

    url: str
    credentials: str
    webhook_secret: str
    statuses: str | None
    host_keys: tuple[str, ...]


class Registrar(Protocol):
    """Makes deployments of repositories, and removes them.

    Methods raise `DockerciseError` for whatever keeps them from it, say YAML that does not compile; then nothing is changed.
    Deployments are called `flow/deployment`.
    """

    def register(self, opening: Opening) -> str:
        """Look at the repository, compile it, create its deployment or bring it up to date; returns its name."""

    def registered(self, credentials: str) -> Sequence[str]:
        """The deployments whose repository is opened by that Secret block."""

    def remove(self, deployment: str) -> bool:
        """Remove a deployment; returns whether it was there."""


def key_title(webhook_url: str) -> str:
    """What a deploy key is called on GitHub: whose it is, for people and for `disconnect`."""
    return f"dockercise for {webhook_url}"


def webhook_of(key: KnownKey) -> str | None:
    """The webhook's address that a key of ours is called after."""
    return key.title.removeprefix("dockercise for ") if key.title.startswith("dockercise for ") else None


def own_keys(keys: Sequence[KnownKey], private: DeployKey | None, webhook_url: str | None) -> tuple[KnownKey, ...]:
    """The deploy keys that are this connection's: the one whose private half is kept, and those that are called so."""
    titles = {key_title(webhook_url)} if webhook_url else set()
    prints = {private.fingerprint} if private else set()
    return tuple(key for key in keys if key.title in titles or fingerprint(key.public) in prints)


def own_hooks(hooks: Sequence[KnownHook], webhook_url: str) -> tuple[KnownHook, ...]:
    """The webhooks that lead to an address."""
    return tuple(hook for hook in hooks if hook.url.rstrip("/") == webhook_url.rstrip("/"))


def checked_webhook_url(url: str) -> str:
    """The address that pushes are to be sent to.

    Raises:
        UsageError: it is none, or holds a password, which GitHub would show.
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
