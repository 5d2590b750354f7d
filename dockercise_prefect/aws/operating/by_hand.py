"""Prepares a stack for a repository whose host has no API that dockercise uses: the user enters the rest there by hand."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dockercise_prefect.aws.operating.stack_store import StackStore
from dockercise_prefect.connect.connecting import SECRET_BYTES
from dockercise_prefect.connect.deploy_key import DeployKey, make_deploy_key, read_deploy_key
from dockercise_prefect.connect.store import Connected, Secret
from dockercise_prefect.connect.undo import undone_on_failure
from dockercise_prefect.errors import UsageError
from dockercise_prefect.repository.address import parse_address


@dataclass(frozen=True, slots=True)
class RemoteRepository:
    """A repository on any host.

    Attributes:
        url: its ssh address, which a deploy key opens.
        address: its https address, which pushes name.
    """

    url: str
    address: str


@dataclass(frozen=True, slots=True)
class ByHand:
    """What the user enters on the page of the repository.

    Attributes:
        public_key: the deploy key, which needs to read only.
        webhook_secret: the secret of the webhook; None if it was shown before.
    """

    public_key: str
    webhook_secret: str | None = field(repr=False)


def remote_repository(text: str) -> RemoteRepository:
    """The repository that a user named by its address.

    Args:
        text: `https://…`, `ssh://…` or `user@host:path`.

    Raises:
        UsageError: it is not the address of a repository on another machine.
    """
    found = parse_address(text, Path("/nowhere"))
    if found.kind == "file":
        raise UsageError(
            f"`{text}` is not a repository that a host in AWS can read", "write OWNER/REPO, or an https or ssh URL"
        )
    host, _, port = found.host.partition(":")
    if found.kind == "ssh":
        return RemoteRepository(found.url, f"https://{host}/{found.path}")
    if port:
        raise UsageError(f"the ssh address of {text} is not known, since its host uses port {port}", "give its ssh URL")
    return RemoteRepository(f"git@{host}:{found.path}.git", f"https://{host}/{found.path}")


def prepare(store: StackStore, repository: RemoteRepository, tell: Callable[[str], None]) -> ByHand:
    """Store a repository in the stack, with its key and its secret. Those that it has already are kept.

    Raises:
        StorageError: AWS does not answer, or refuses. What was stored is removed again.
    """
    before = store.find(Secret.WEBHOOK)
    pair = _kept_pair(store) or make_deploy_key()
    secret = before or secrets.token_hex(SECRET_BYTES)
    with undone_on_failure(tell) as undo:
        store.save(Secret.KEY, pair.private)
        if before is None:
            undo.later(store.place(Secret.WEBHOOK), lambda: store.delete(Secret.WEBHOOK))
            store.save(Secret.WEBHOOK, secret)
        store.write(Connected(url=repository.url, host_keys=(), sends_statuses=False), undo, tell)
    return ByHand(pair.public, secret if before is None else None)


def _kept_pair(store: StackStore) -> DeployKey | None:
    return read_deploy_key(store.find(Secret.KEY) or "")
