"""Keeps connections in Prefect: secrets in Secret blocks, the registration as a deployment."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dockercise_prefect.connect.connection import BlockNames, Opening, Registrar
from dockercise_prefect.connect.store import Connected, Secret
from dockercise_prefect.connect.undo import Undo
from dockercise_prefect.orchestration.prefect.secret_blocks import delete_secret, find_secret, save_secret


class PrefectStore:
    """Keeps one connection in Prefect. See `ConnectionStore` for the methods.

    Args:
        blocks: the names of its Secret blocks.
        registrar: makes and removes its deployments.
    """

    def __init__(self, blocks: BlockNames, registrar: Registrar) -> None:
        self._blocks = blocks
        self._names = {Secret.KEY: blocks.key, Secret.WEBHOOK: blocks.webhook, Secret.TOKEN: blocks.token}
        self._registrar = registrar

    def place(self, secret: Secret) -> str:
        """The Secret block."""
        return f"Prefect's Secret block {self._names[secret]}"

    def find(self, secret: Secret) -> str | None:
        """The content of the Secret block."""
        return find_secret(self._names[secret])

    def save(self, secret: Secret, text: str) -> None:
        """Save the Secret block."""
        save_secret(self._names[secret], text)

    def delete(self, secret: Secret) -> bool:
        """Delete the Secret block."""
        return delete_secret(self._names[secret])

    def register(self, repository: Connected, undo: Undo, tell: Callable[[str], None]) -> str:
        """Register as `dockercise register` does. A deployment that existed before cannot be restored."""
        blocks, registrar = self._blocks, self._registrar
        before = registrar.registered(blocks.key)
        undo.later("the deployment", lambda: self._remove_all(set(registrar.registered(blocks.key)) - set(before)))
        deployment = registrar.register(
            Opening(
                url=repository.url,
                credentials=blocks.key,
                webhook_secret=blocks.webhook,
                statuses=blocks.token if repository.sends_statuses else None,
                host_keys=repository.host_keys,
            )
        )
        if deployment in before:
            undo.cannot(f"the deployment {deployment} stays as it is now")
        tell(f"deployment {deployment} {'updated' if deployment in before else 'created'}")
        return deployment

    def _remove_all(self, deployments: Iterable[str]) -> bool:
        return sum(self._registrar.remove(deployment) for deployment in deployments) > 0
