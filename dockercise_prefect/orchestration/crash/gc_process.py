"""Starts `dockercise gc` after a run, in a process of its own, so that the run does not wait for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL

from dockercise_prefect.settings import Settings

COMMAND = ("-m", "dockercise_prefect", "gc")


def start_gc(settings: Settings) -> int:
    """Start it with the same settings and the same Prefect. It prints nothing, and goes on when this process has ended.

    Returns:
        The number of the process.
    """
    nowhere = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    command = [sys.executable, *COMMAND]
    return os.posix_spawn(sys.executable, command, _environment(settings), file_actions=nowhere, setsid=True)


def _environment(settings: Settings) -> Mapping[str, str]:
    """The variables of this process, and what `dockercise run` was told in another way."""
    told = {"DOCKERCISE_DATA": str(settings.data), "DOCKERCISE_RESULTS": settings.results}
    if url := PREFECT_API_URL.value():
        told["PREFECT_API_URL"] = url
    if login := PREFECT_API_AUTH_STRING.value():
        told["PREFECT_API_AUTH_STRING"] = login
    return os.environ | told
