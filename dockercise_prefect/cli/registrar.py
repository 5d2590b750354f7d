"""Registers connected repositories for the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dockercise_prefect.cli.registration_options import MakeRequest, make, summary
from dockercise_prefect.connect.connection import Opening

if TYPE_CHECKING:
    from dockercise_prefect.orchestration.registrations.deployments import Deployed


class CliRegistrar:
    """Registers as `dockercise register` does. See `Registrar` for the methods.

    Args:
        request: makes the request from the user's options; None if nothing will be registered.
        tell: called with a line about what was found.
    """

    def __init__(self, request: MakeRequest | None, tell: Callable[[str], None]) -> None:
        self._request = request
        self._tell = tell
        self.deployed: Deployed | None = None

    def register(self, opening: Opening) -> str:
        """Register the repository, and set `deployed` to the deployment."""
        if self._request is None:
            raise TypeError("there is nothing to register")
        asked = self._request(
            opening.url,
            credentials=opening.credentials,
            host_keys=opening.host_keys,
            webhook_secret=opening.webhook_secret,
            statuses=opening.statuses,
        )
        found, self.deployed, _ = make(asked)
        self._tell(summary(found))
        return self.deployed.name

    def registered(self, credentials: str) -> Sequence[str]:
        """The deployments whose repository is accessed with this Secret block."""
        from dockercise_prefect.orchestration.registrations.deployments import deployments

        return [one.name for one in deployments() if one.registration.credentials == credentials]

    def remove(self, deployment: str) -> bool:
        """Remove a deployment by its name. Returns whether it existed."""
        from dockercise_prefect.orchestration.registrations.deployments import deployments, remove

        found = [one for one in deployments() if one.name == deployment]
        for one in found:
            remove(one)
        return bool(found)
