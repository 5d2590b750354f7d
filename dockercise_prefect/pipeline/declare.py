"""How a pipeline is written in Python: what a compiled module calls, and what a person may call without any YAML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dockercise_prefect.errors import Place
from dockercise_prefect.pipeline.model import (
    CODE,
    CodeSnapshot,
    Dependency,
    DependencyKind,
    EngineVolume,
    EnvSource,
    HostPath,
    HostVariable,
    ImageReference,
    LiteralValue,
    Mode,
    Mount,
    Network,
    PullPolicy,
    Stage,
    StageName,
    StageValue,
    StageVolume,
)

code = Mount(CodeSnapshot(), f"/{CODE}")
"""The code, read-only at `/code`; `code.at(path)` puts it elsewhere, `on=code` works in a copy of it."""


def host(name: str, *, optional: bool = False) -> HostVariable:
    """A variable from outside the run; with `optional`, unset where nothing has it."""
    return HostVariable(name, optional)


def bind(path: str, target: str, mode: Mode = "rw") -> Mount:
    """A folder of the engine's machine, or one below the root when `path` begins with `./`, at `target`."""
    return Mount(HostPath(path), target, mode)


def engine_volume(name: str, target: str, mode: Mode = "rw") -> Mount:
    """The engine's own volume `name` at `target`; it outlives the run."""
    return Mount(EngineVolume(name), target, mode)


def stage(
    name: StageName,
    *,
    image: str | None = None,
    run: str | None = None,
    env: Mapping[str, EnvSource | str] | None = None,
    volumes: Sequence[Mount] = (),
    on: Stage | Mount | None = None,
    working_dir: str | None = None,
    after: Iterable[Stage] = (),
    timeout: float | None = None,
    no_log: bool | None = None,
    never_fail: bool = False,
    triggers: Sequence[str] = (),
    user: str | None = None,
    network: str = "bridge",
    pull: str = "missing",
    platform: str | None = None,
    cpus: float | None = None,
    memory: int | None = None,
    at: str | None = None,
) -> Stage:
    """Declare a stage; LANGUAGE section 2 says what each key means.

    Args:
        env: variable to its source: a stage's `.value`, `host(…)`, or its text.
        volumes: stages' `.volume`, `code`, `bind(…)`, `engine_volume(…)`.
        on: a stage, or `code`.
        working_dir: by default `/<name>` with `on`, else `/`.
        timeout: seconds.
        memory: bytes.
        at: `path:line:column` of the YAML it was compiled from.

    Raises:
        ValueError: `network` or `pull` is none that there is, or `at` is no place.
    """
    sources: dict[str, EnvSource] = {
        variable: LiteralValue(source) if isinstance(source, str) else source for variable, source in (env or {}).items()
    }
    origin = None if on is None else on.name if isinstance(on, Stage) else CODE
    edges = [(earlier.name, DependencyKind.AFTER) for earlier in after]
    edges += [(source.stage, DependencyKind.ENV) for source in sources.values() if isinstance(source, StageValue)]
    edges += [(mount.source.stage, DependencyKind.VOL) for mount in volumes if isinstance(mount.source, StageVolume)]
    if isinstance(on, Stage):
        edges.append((on.name, DependencyKind.ON))
    return Stage(
        name=name,
        image=None if image is None else ImageReference(image),
        run=run,
        env=sources,
        mounts=tuple(volumes),
        on=origin,
        working_dir=working_dir or (f"/{name}" if on is not None else "/"),
        timeout=timeout,
        depends_on=tuple(Dependency(earlier, kind) for earlier, kind in dict.fromkeys(edges)),
        no_log=no_log,
        never_fail=never_fail,
        triggers=tuple(triggers),
        user=user,
        network=Network(network),
        pull=PullPolicy(pull),
        platform=platform,
        cpus=cpus,
        memory=memory,
        place=None if at is None else Place.parse(at),
    )
