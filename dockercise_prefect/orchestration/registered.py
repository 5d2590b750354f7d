"""The import path of the flow of registered repositories. Existing deployments in Prefect use it, so it must not change."""

from __future__ import annotations

from dockercise_prefect.orchestration.registrations.flow import registered

__all__ = ["registered"]
