"""The functions with which a pipeline is written in Python, in a compiled module or by hand without YAML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dockercise_prefect.errors import Place
from dockercise_prefect.pipeline.cache import Cache
from dockercise_prefect.pipeline.declared_services import edges_of, image_of, sources_of
from dockercise_prefect.pipeline.dependency import Dependency, DependencyKind
from dockercise_prefect.pipeline.each import Each
from dockercise_prefect.pipeline.gates import Approval, StageConcurrency
from dockercise_prefect.pipeline.history import DEPTH, CodeHistory
from dockercise_prefect.pipeline.instances import Instance, instance_key
from dockercise_prefect.pipeline.lifecycle import (
    ORDINARY,
    STOP_GRACE,
    Concurrency,
    Overlap,
    Retries,
    RetryReason,
    RunsOn,
    When,
)
from dockercise_prefect.pipeline.model import Network, PullPolicy, Stage
from dockercise_prefect.pipeline.parameters.values import Parameter, ParameterType, Value
from dockercise_prefect.pipeline.run_context import RunEvent
from dockercise_prefect.pipeline.services import Service
from dockercise_prefect.pipeline.sources import (
    CODE,
    Build,
    CodeSnapshot,
    EngineVolume,
    EnvSource,
    HostPath,
    HostVariable,
    Mode,
    Mount,
    StageImage,
    StageName,
    StageValues,
    StageVolume,
)

code = Mount(CodeSnapshot(), f"/{CODE}")
"""The code, read-only at `/code`. `code.at(path)` mounts it at another path, and `on=code` works in a copy of it."""


def code_folder(folder: str) -> Mount:
    """One folder of the code, read-only at `/code/<folder>`, without the rest of the code."""
    return Mount(CodeSnapshot(folder), f"/{CODE}/{folder}")


def host(name: str, *, optional: bool = False) -> HostVariable:
    """A variable from outside the run. With `optional`, it is unset if it is not found."""
    return HostVariable(name, optional)


def bind(path: str, target: str, mode: Mode = "rw") -> Mount:
    """A folder of the engine's machine, or one below the root if `path` begins with `./`, mounted at `target`."""
    return Mount(HostPath(path), target, mode)


def engine_volume(name: str, target: str, mode: Mode = "rw") -> Mount:
    """The engine's own volume `name`, mounted at `target`. It is not removed after the run."""
    return Mount(EngineVolume(name), target, mode)


def built_from(
    context: Stage | Mount,
    folder: str = ".",
    *,
    dockerfile: str = "Dockerfile",
    args: Mapping[str, str] | None = None,
    target: str | None = None,
    secrets: Sequence[str] = (),
) -> Build:
    """An image to build from a folder of `code`, or of a stage's volume.

    Args:
        context: a stage, or `code`.
        folder: path of the folder below the context.
        dockerfile: path of the Dockerfile below the folder.
        args: build arguments; they stay in the image's history.
        target: the stage of the Dockerfile to stop at.
        secrets: names of the stage's variables that the build gets as secrets.

    Raises:
        ValueError: the context is a mount of something else.
    """
    if isinstance(context, Mount) and context.source != CodeSnapshot():
        raise ValueError("a build is from a stage or from `code`; name a folder of it with `folder`")
    source = StageVolume(context.name) if isinstance(context, Stage) else CodeSnapshot()
    return Build(source, folder, dockerfile, dict(args or {}), target, tuple(secrets))


def retries(times: int, *, delay: float = 0, backoff: float = 1, on: Iterable[int | str] = ()) -> Retries:
    """How often a stage that fails is run again; `on` lists exit codes, `timeout`, `oom` and `error`."""
    failures = (failure if isinstance(failure, int) else RetryReason(failure) for failure in on)
    return Retries(times, delay, backoff, tuple(failures))


def when(
    *,
    status: str = "success",
    branch: Iterable[str] = (),
    tag: Iterable[str] = (),
    event: Iterable[str] = (),
    changed: Iterable[str] = (),
) -> When:
    """Conditions that must all hold for a stage to run. Globs are those of `triggers`."""
    return When(
        status=RunsOn(status),
        branch=tuple(branch),
        tag=tuple(tag),
        event=tuple(RunEvent(one) for one in event),
        changed=tuple(changed),
    )


def cache(*, max_age: float | None = None, salt: str = "", also: Iterable[str] = ()) -> Cache:
    """A stage may be reused while nothing that it is made from has changed; `max_age` is in seconds."""
    return Cache(max_age=max_age, salt=salt, also=tuple(also))


def concurrency(limit: int, *, group: str | None = None, overlap: str = "wait") -> Concurrency:
    """How many runs of a group go on at once; by default, the group is the pipeline."""
    return Concurrency(group=group, limit=limit, overlap=Overlap(overlap))


def instance(stage: StageName, **values: str) -> Instance:
    """One of the stages that a stage with `matrix` stands for: the value of each axis, in the order of the name."""
    return Instance(stage, instance_key(values.values()), values)


def values_of(*stages: Stage) -> StageValues:
    """The values of several stages as one variable: each on its own line, in this order."""
    return StageValues(tuple(stage.name for stage in stages))


def each(stage: Stage, *, limit: int | None = None) -> Each:
    """The lines of a stage. Each of them gets a member of the stage that is declared, `limit` members at once."""
    return Each(stage.name, limit)


def approval(text: str, *, timeout: float | None = None) -> Approval:
    """Somebody must agree to this before the stage runs; `timeout` is in seconds."""
    return Approval(text, timeout)


def at_once(group: str, limit: int) -> StageConcurrency:
    """How many stages of a group run at once, over all runs."""
    return StageConcurrency(group, limit)


def history(depth: int = DEPTH) -> CodeHistory:
    """The code is a git checkout with so many commits; with 0, it has all of them."""
    return CodeHistory(depth)


def parameter(
    name: str,
    *,
    type: str = "string",  # noqa: A002  the key of the language
    default: Value | None = None,
    choices: Sequence[Value] = (),
    description: str = "",
    fixed: bool = False,
    at: str | None = None,
) -> Parameter:
    """Declare a parameter of the pipeline. `parameter(…).value` is the source of a variable.

    Args:
        name: an identifier.
        type: `string`, `integer`, `number` or `boolean`.
        default: the value if a run gives none; without it, every run has to give one.
        choices: the only allowed values.
        description: a text for the run form.
        fixed: whether its value is part of images or other keys of the compiled pipeline, so that no run can change it.
        at: `path:line:column` of the YAML that it was compiled from.
    """
    return Parameter(
        name=name,
        type=ParameterType(type),
        default=default,
        choices=tuple(choices),
        description=description,
        is_fixed=fixed,
        place=None if at is None else Place.parse(at),
    )


def stage(
    name: StageName,
    *,
    image: str | Stage | None = None,
    build: Build | None = None,
    run: str | None = None,
    env: Mapping[str, EnvSource | str] | None = None,
    volumes: Sequence[Mount] = (),
    on: Stage | Mount | None = None,
    working_dir: str | None = None,
    after: Iterable[Stage] = (),
    only_if: Iterable[Stage] = (),
    unless: Iterable[Stage] = (),
    reads: Iterable[Stage] = (),
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
    when: str | When = ORDINARY,
    retries: int | Retries | None = None,
    stop_grace: float = STOP_GRACE,
    interpreter: Sequence[str] = (),
    entrypoint: Sequence[str] | None = None,
    gpus: str | None = None,
    sudo: bool = False,
    cache: bool | Cache = False,
    instance: Instance | None = None,
    services: Iterable[Service] = (),
    each: Stage | Each | None = None,
    approve: str | Approval | None = None,
    concurrency: str | StageConcurrency | None = None,
    junit: Sequence[str] = (),
    at: str | None = None,
) -> Stage:
    """Declare a stage. LANGUAGE section 2 says what each key means.

    Args:
        image: a reference, or a stage: then it runs in the image that this stage built, or else left behind.
        build: `built_from(…)`, instead of `image`.
        env: maps each variable to its source: a stage's `.value`, `values_of(…)`, `host(…)`, or a text.
        volumes: stages' `.volume`, `code`, `bind(…)`, `engine_volume(…)`.
        on: a stage, or `code`.
        working_dir: the working directory; by default `/<name>` with `on`, else `/`.
        only_if: stages that must end with exit code 0 (`if`).
        unless: stages that must end with another exit code.
        reads: stages whose output the script reads in `/out`.
        timeout: seconds.
        memory: bytes.
        when: `success`, `failure`, `always`, or `when(…)`.
        retries: a number, or `retries(…)`.
        stop_grace: seconds between SIGTERM and SIGKILL.
        interpreter: the command that runs the script instead of `/bin/sh` (`shell`).
        entrypoint: the program that gets the words of `run` as arguments; empty for the image's own entrypoint.
        gpus: `all`, how many, or `device=0,2`.
        sudo: whether programs such as `sudo` may get rights that the stage's user does not have.
        cache: `True`, or `cache(…)`.
        instance: `instance(…)`, for an instance of a stage; `name` is then the instance's name.
        services: `service(…)`, containers beside it.
        each: a stage, or `each(…)`: there is one member for each line that this stage prints.
        approve: a question, or `approval(…)`.
        concurrency: a group in which one stage runs at once, or `at_once(…)`.
        junit: globs of test reports in its volume.
        at: `path:line:column` of the YAML that the stage was compiled from.

    Raises:
        ValueError: both `image` and `build` are given, `on` is another mount than `code`, `network`, `pull` or `when` is an
            unknown value, or `at` is not a place.
    """
    if image is not None and build is not None:
        raise ValueError(f"stage {name!r} has an image and builds one")
    if isinstance(on, Mount) and on.source != CodeSnapshot():
        raise ValueError(f"stage {name!r} can only work on a stage, or on `code`")
    sources = sources_of(env)
    beside = tuple(services)
    origin = None if on is None else on.name if isinstance(on, Stage) else CODE
    group = Each(each.name) if isinstance(each, Stage) else each
    edges = [(earlier.name, DependencyKind.AFTER) for earlier in after]
    edges += [(group.stage, DependencyKind.EACH)] if group is not None else []
    values = [*sources.values(), *(source for each in beside for source in each.env.values())]
    edges += edges_of(values, ())
    if build is not None and isinstance(build.context, StageVolume):
        edges.append((build.context.stage, DependencyKind.VOL))
    edges += edges_of((), [*volumes, *(mount for each in beside for mount in each.mounts)])
    if isinstance(on, Stage):
        edges.append((on.name, DependencyKind.ON))
    edges += [(earlier.name, DependencyKind.OUT) for earlier in reads]
    images = [None if image is None else image_of(image), *(each.image for each in beside)]
    edges += [(each.stage, DependencyKind.IMG) for each in images if isinstance(each, StageImage)]
    edges += [(earlier.name, DependencyKind.IF) for earlier in only_if]
    edges += [(earlier.name, DependencyKind.UNLESS) for earlier in unless]
    return Stage(
        name=name,
        image=images[0],
        build=build,
        run=run,
        env=sources,
        mounts=tuple(volumes),
        on=origin,
        working_dir=working_dir or ("/" if on is None else f"/{name if instance is None else instance.of}"),
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
        when=When(status=RunsOn(when)) if isinstance(when, str) else when,
        retries=Retries(retries) if isinstance(retries, int) else retries,
        stop_grace=stop_grace,
        shell=tuple(interpreter),
        entrypoint=None if entrypoint is None else tuple(entrypoint),
        gpus=gpus,
        sudo=sudo,
        cache=(Cache() if cache else None) if isinstance(cache, bool) else cache,
        instance=instance,
        services=beside,
        each=group,
        approve=Approval(approve) if isinstance(approve, str) else approve,
        concurrency=StageConcurrency(concurrency) if isinstance(concurrency, str) else concurrency,
        junit=tuple(junit),
        place=None if at is None else Place.parse(at),
    )
