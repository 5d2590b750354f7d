"""The registrations of connected repositories, as the command line makes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dockercise_prefect.cli.registering import MakeRequest, make, summary
from dockercise_prefect.connect.connection import Opening

if TYPE_CHECKING:
    from dockercise_prefect.orchestration.registrations.deployments import Deployed


class CliRegistrar:
    """Registers as `dockercise register` does; `Registrar` says what is to be.

    Args:
        request: what the user's options ask for; None where nothing is to be registered.
        tell: is told what was found.
    """

    def __init__(self, request: MakeRequest | None, tell: Callable[[str], None]) -> None:
        self._request = request
        self._tell = tell
        self.deployed: Deployed | None = None

    def register(self, opening: Opening) -> str:
        """Register the repository; `deployed` is what was made."""
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
        """Deployments by the Secret block that opens their repository."""
        from dockercise_prefect.orchestration.registrations.deployments import deployments

        return [one.name for one in deployments() if one.registration.credentials == credentials]

    def remove(self, deployment: str) -> bool:
        """Remove one by its name."""
        from dockercise_prefect.orchestration.registrations.deployments import deployments, remove

        found = [one for one in deployments() if one.name == deployment]
        for one in found:
            remove(one)
        return bool(found)
