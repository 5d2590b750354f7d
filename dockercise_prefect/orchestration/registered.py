"""The address of the flow of registered repositories: deployments that Prefect has name it, so it stays."""

from __future__ import annotations

from dockercise_prefect.orchestration.registrations.registered import registered

__all__ = ["registered"]
