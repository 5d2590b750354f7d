"""Writes services: as calls of `pipeline.service`, and in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from dockercise_prefect.emit.literals import one_line, text_literal
from dockercise_prefect.pipeline import EnvSource, Image, Mount, Readiness, Service
from dockercise_prefect.pipeline.services import READY_SECONDS
from dockercise_prefect.quantities import shown_seconds


def services_argument(
    services: Iterable[Service],
    image: Callable[[Image], str],
    source: Callable[[EnvSource], str],
    mount: Callable[[Mount], str],
) -> str:
    """The list of a stage's services, one argument on each line.

    Args:
        services: of the stage.
        image: writes an image as Python.
        source: writes the source of a variable as Python.
        mount: writes a mount as Python.
    """
    calls = []
    for service in services:
        lines = [one_line(service.name), image(service.image), *_arguments(service, source, mount)]
        calls.append("        service(\n" + "".join(f"            {line},\n" for line in lines) + "        ),\n")
    return f"[\n{''.join(calls)}    ]"


def services_in_words(services: Iterable[Service], image: Callable[[Image], str]) -> Iterator[tuple[str, str]]:
    """A line for each service: what it runs, and when it is ready."""
    for service in services:
        what = image(service.image) if service.run is None else f"{image(service.image)}, a script"
        yield "service", f"{service.name}: {what}; {_ready_in_words(service.ready)}"


def _arguments(service: Service, source: Callable[[EnvSource], str], mount: Callable[[Mount], str]) -> Iterator[str]:
    if service.run is not None:
        yield f"run={text_literal(service.run)}"
    if service.env:
        entries = "".join(f"                {one_line(name)}: {source(each)},\n" for name, each in service.env.items())
        yield f"env={{\n{entries}            }}"
    if service.mounts:
        yield f"volumes=[{', '.join(mount(each) for each in service.mounts)}]"
    if service.ready.run is not None:
        yield f"ready={text_literal(service.ready.run)}"
    if service.ready.timeout != READY_SECONDS:
        yield f"ready_timeout={service.ready.timeout!r}"
    if service.user is not None:
        yield f"user={one_line(service.user)}"
    if service.cpus is not None:
        yield f"cpus={service.cpus!r}"
    if service.memory is not None:
        yield f"memory={service.memory!r}"
    if service.place is not None:
        yield f"at={one_line(str(service.place))}"


def _ready_in_words(ready: Readiness) -> str:
    within = f"within {shown_seconds(ready.timeout)}"
    if ready.run is None:
        return f"ready as the health check of its image says, {within}, or at once if there is none"
    lines = ready.run.strip().splitlines()
    return f"ready when `{lines[0]}`{' …' if len(lines) > 1 else ''} succeeds, {within}"
