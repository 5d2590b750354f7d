"""What the receiver is connected to: Prefect and git behind one port, git hosts behind the other."""

from __future__ import annotations

from dockercise_prefect.settings import Settings
from dockercise_prefect.webhook.hosts import HostKind
from dockercise_prefect.webhook.hub import Hub
from dockercise_prefect.webhook.prefect_hub import PrefectHub
from dockercise_prefect.webhook.statuses import Statuses, StatusRefusedError


def open_hub(settings: Settings) -> Hub:
    """The hub of this machine's settings."""
    return PrefectHub(settings)


def open_statuses(kind: HostKind, site: str, token: str) -> Statuses:
    """A sender of commit statuses (`webhook.statuses.OpenStatuses`).

    Raises:
        StatusRefusedError: nobody knows how to speak to that host.
    """
    del token
    raise StatusRefusedError(f"statuses for {site} ({kind}) cannot be sent")
