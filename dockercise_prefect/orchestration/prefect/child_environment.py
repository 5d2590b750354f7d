"""The environment of a process that goes on with the work of this one."""

from __future__ import annotations

import os
from collections.abc import Mapping

from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL

from dockercise_prefect.settings import Settings


def child_environment(settings: Settings) -> Mapping[str, str]:
    """The variables of this process, and what this process was told in another way: its settings, and its Prefect."""
    told = {"DOCKERCISE_DATA": str(settings.data), "DOCKERCISE_RESULTS": settings.results}
    if url := PREFECT_API_URL.value():
        told["PREFECT_API_URL"] = url
    if login := PREFECT_API_AUTH_STRING.value():
        told["PREFECT_API_AUTH_STRING"] = login
    return os.environ | told
