"""Services: containers beside a stage, fresh for each attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dockercise_prefect.errors import Place
from dockercise_prefect.pipeline.sources import EnvSource, Image, Mount

READY_SECONDS = 60.0
"""How many seconds a service may take to get ready, if nothing else is written."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """When a service is ready.

    Attributes:
        run: a script that is run in the service until it ends with exit code 0; None for the health check of the image. If the
            image has none, the service is ready as soon as it has started.
        timeout: seconds that it may take from its start.
    """

    run: str | None = None
    timeout: float = READY_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A container beside a stage. The stage and its services reach each other by their names.

    Attributes:
        name: also its host name.
        run: the shell script; None runs the image's own entrypoint and command.
        env: maps each variable name to the source of its value, in the order written.
        cpus: limit of processors. `memory`: limit of bytes.
        place: where the service was written.
    """

    name: str
    image: Image
    run: str | None = None
    env: Mapping[str, EnvSource] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    ready: Readiness = Readiness()
    user: str | None = None
    cpus: float | None = None
    memory: int | None = None
    place: Place | None = None
