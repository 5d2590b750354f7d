"""Where the secrets of a connection and its registration are kept: in Prefect, or in a stack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from dockercise_prefect.connect.undo import Undo


class Secret(StrEnum):
    """The secrets of a connection."""

    KEY = "key"
    """The private half of the deploy key."""

    WEBHOOK = "webhook"
    """What pushes are signed with."""

    TOKEN = "token"  # noqa: S105  the name of a secret
    """What commit statuses are sent with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A repository whose secrets are stored, so that it can be registered.

    Attributes:
        url: its ssh address, which the deploy key opens.
        host_keys: the keys of its ssh server, as lines of a known_hosts file.
        sends_statuses: whether commit statuses are sent.
    """

    url: str
    host_keys: tuple[str, ...]
    sends_statuses: bool


class ConnectionStore(Protocol):
    """Keeps the secrets and the registration of one repository.

    Methods raise `DockerciseError` if they fail, for example because of YAML that does not compile.
    """

    def place(self, secret: Secret) -> str:
        """Where a secret is kept, as in a sentence: `Prefect's Secret block dockercise-acme-infra-key`."""

    def find(self, secret: Secret) -> str | None:
        """A secret; None if it is not kept."""

    def save(self, secret: Secret, text: str) -> None:
        """Keep a secret in the place of the one before."""

    def delete(self, secret: Secret) -> bool:
        """Forget a secret; returns whether it was there."""

    def register(self, repository: Connected, undo: Undo, tell: Callable[[str], None]) -> str:
        """Make the registration, or bring it up to date.

        Args:
            undo: gets the step that undoes the registration, before it is made.
            tell: called with a line for each step.

        Returns:
            Its name.
        """
