"""The central type: a pipeline as a value.

The compiler makes a pipeline, and everything after it only reads it. A pipeline holds the names of outside variables, never
their values. It can be printed as JSON (`as_json`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from dockercise_prefect.errors import DefinitionError, Diagnostic, Place, did_you_mean
from dockercise_prefect.pipeline.cache import Cache
from dockercise_prefect.pipeline.codes import Code
from dockercise_prefect.pipeline.history import CodeHistory
from dockercise_prefect.pipeline.instances import Instance, seen_as
from dockercise_prefect.pipeline.lifecycle import CLEANUP_GRACE, ORDINARY, STOP_GRACE, Concurrency, Retries, When
from dockercise_prefect.pipeline.services import Service
from dockercise_prefect.pipeline.sources import Build, EnvSource, Image, Mount, StageName, StageValue, StageVolume, folded


class DependencyKind(StrEnum):
    """What an edge does at run time (LANGUAGE section 4)."""

    AFTER = "after"
    ENV = "env"
    VOL = "vol"
    ON = "on"
    OUT = "out"
    IMG = "img"
    IF = "if"
    UNLESS = "unless"

    @property
    def asks(self) -> bool:
        """Whether the earlier stage's exit code decides whether the later stage runs."""
        return self in {DependencyKind.IF, DependencyKind.UNLESS}

    @property
    def phrase(self) -> str:
        """The words for the edge, to be written between the later stage and the earlier one."""
        return _PHRASES[self]


_PHRASES = {
    DependencyKind.AFTER: "comes after",
    DependencyKind.ENV: "uses the value of",
    DependencyKind.VOL: "mounts the volume of",
    DependencyKind.ON: "works on the volume of",
    DependencyKind.OUT: "reads the output of",
    DependencyKind.IMG: "runs in the image of",
    DependencyKind.IF: "runs only on a yes from",
    DependencyKind.UNLESS: "runs only on a no from",
}


@dataclass(frozen=True, slots=True)
class Dependency:
    """One edge of the graph: the stage that has it runs after `stage`.

    Edges of different kinds to the same stage are separate, because each does something else at run time. The order of the
    graph needs only the set of stages.

    Attributes:
        seen_as: the path below `/` and `/out` at which an instance is seen: `test/3.12,pg`, or `test` for the counterpart of
            the stage. None for a stage that is not an instance, which is seen under its own name.
    """

    stage: StageName
    kind: DependencyKind
    place: Place | None = None
    inferred: bool = False
    seen_as: str | None = None

    @property
    def path(self) -> str:
        """The path below `/` and `/out` at which the stage is usually seen."""
        return self.stage if self.seen_as is None else self.seen_as

    @property
    def reference(self) -> str:
        """What in a stage's definition causes such an edge if it is inferred (LANGUAGE section 4)."""
        match self.kind:
            case DependencyKind.ENV:
                return f"${folded(self.path.partition('/')[0])}"
            case DependencyKind.VOL:
                return f"/{self.path}"
            case DependencyKind.OUT:
                return f"out/{self.path}"
            case _:
                return f"{self.kind}: {self.stage}"


class Network(StrEnum):
    """A stage's network, as in `docker run`."""

    BRIDGE = "bridge"
    NONE = "none"
    HOST = "host"


class PullPolicy(StrEnum):
    """When an image is pulled."""

    MISSING = "missing"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A node of the graph: one script in one container, or no container.

    Attributes:
        image: the image; None if the stage has no image, or builds its own.
        build: the image that the stage builds; never together with `image`.
        run: the shell script; None runs the image's own entrypoint and command, or only builds.
        env: maps each variable name to the source of its value, in the order written. A variable from outside whose name is an
            absolute path is a secret file (`secrets`).
        on: the stage (or `CODE`) whose volume is copied as the start of this stage's volume.
        timeout: seconds after which the container is stopped.
        no_log: whether its output is shown nowhere; None if `noLog` was not written.
        cpus: limit of processors. `memory`: limit of bytes.
        retries: whether a failed attempt is repeated; None for no.
        stop_grace: seconds between SIGTERM and SIGKILL.
        when: the conditions under which the stage runs.
        shell: the command that runs the script instead of `/bin/sh`; empty for `/bin/sh`.
        entrypoint: the program that gets the words of `run` as arguments, and its first arguments; empty for the image's own
            entrypoint; None if a shell runs the script.
        sudo: whether programs such as `sudo` may get rights that the stage's user does not have.
        cache: whether it may be reused; None for no.
        services: the containers beside it.
        instance: which instance of a stage with `matrix` it is; None if it is not an instance.
        place: where the stage was written.
    """

    name: StageName
    image: Image | None = None
    build: Build | None = None
    run: str | None = None
    env: Mapping[str, EnvSource] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    on: StageName | None = None
    working_dir: str = "/"
    timeout: float | None = None
    depends_on: tuple[Dependency, ...] = ()
    no_log: bool | None = None
    never_fail: bool = False
    triggers: tuple[str, ...] = ()
    user: str | None = None
    network: Network = Network.BRIDGE
    pull: PullPolicy = PullPolicy.MISSING
    platform: str | None = None
    cpus: float | None = None
    memory: int | None = None
    retries: Retries | None = None
    stop_grace: float = STOP_GRACE
    when: When = ORDINARY
    shell: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    sudo: bool = False
    cache: Cache | None = None
    services: tuple[Service, ...] = ()
    instance: Instance | None = None
    place: Place | None = None

    @property
    def written_name(self) -> StageName:
        """The name of the stage as it was written: `test` for `test(3.12,pg)`."""
        return self.name if self.instance is None else self.instance.of

    @property
    def folder(self) -> str:
        """The path of its own volume in its container. It is the same for all instances of a stage."""
        return f"/{self.written_name}"

    @property
    def starts_container(self) -> bool:
        """Whether something runs in a container. A stage that only joins others, or only builds, does not start one."""
        return self.image is not None or (self.build is not None and self.run is not None)

    @property
    def script(self) -> str | None:
        """What `shell` runs; None if there is no `run`, or if an entrypoint gets its words."""
        return self.run if self.entrypoint is None else None

    @property
    def joins_only(self) -> bool:
        """Whether the stage neither runs nor builds anything. Its value comes from outside, or is empty."""
        return self.image is None and self.build is None

    @property
    def value(self) -> StageValue:
        """This stage's value, as the source of a variable."""
        return StageValue(self.name)

    @property
    def volume(self) -> Mount:
        """This stage's volume at its usual path, for the `volumes` of another stage."""
        target = self.folder if self.instance is None else f"{self.folder}/{self.instance.key}"
        return Mount(StageVolume(self.name), target)

    @property
    def all_mounts(self) -> tuple[Mount, ...]:
        """Its mounts and those of its services."""
        return (*self.mounts, *(mount for service in self.services for mount in service.mounts))

    @property
    def service_stages(self) -> tuple[Stage, ...]:
        """Its services in the form of stages, named `<stage>.<service>`: they get images, variables and mounts as stages do."""
        return tuple(
            Stage(
                name=f"{self.name}.{service.name}",
                image=service.image,
                run=service.run,
                env=service.env,
                mounts=service.mounts,
                user=service.user,
                pull=self.pull,
                platform=self.platform,
                cpus=service.cpus,
                memory=service.memory,
                stop_grace=self.stop_grace,
                place=service.place or self.place,
            )
            for service in self.services
        )

    @property
    def needs(self) -> tuple[StageName, ...]:
        """The stages that this one runs after, each once, in the order written."""
        return tuple(dict.fromkeys(dependency.stage for dependency in self.depends_on))


def build_secrets(stages: Iterable[Stage]) -> Iterator[str]:
    """The secrets of builds, by their folded names."""
    return (folded(name) for stage in stages if stage.build is not None for name in stage.build.secrets)


def asked_stages(stages: Iterable[Stage]) -> Iterator[StageName]:
    """The stages whose exit code decides whether others run."""
    return (edge.stage for stage in stages for edge in stage.depends_on if edge.kind.asks)


def _with_paths(stages: Sequence[Stage]) -> Sequence[Stage]:
    """The stages, whose edges to instances say at which paths the stages find them."""
    instances = {stage.name: stage.instance for stage in stages if stage.instance is not None}
    if not instances:
        return stages

    def found(edge: Dependency, later: Stage) -> Dependency:
        earlier = instances.get(edge.stage)
        return edge if earlier is None else replace(edge, seen_as=seen_as(later.instance, earlier))

    return tuple(replace(stage, depends_on=tuple(found(edge, stage) for edge in stage.depends_on)) for stage in stages)


@dataclass(frozen=True)
class Pipeline:
    """Stages in an order in which they can run.

    Attributes:
        stages: the stages, each after all that it needs.
        tags: tags of the flow run.
        secrets: folded names of variables whose values are sensitive: those of `meta.secrets`, and secrets of builds.
        digest: `sha256:…` of what was compiled; None for a pipeline that is written in Python (`as_json.digest_of`).
        timeout: seconds after which the run is stopped and has failed; None for no limit.
        cleanup_grace: seconds that all clean-up stages have together after the run was stopped.
        cleanup_after_crash: whether the clean-up stages of a run whose process died are run by whoever finds it.
        concurrency: how many runs go on at once; None for no limit.
        history: the history of git that the code has; None if the code has none.
        answers: stages whose exit code is an answer for another stage (`if`, `unless`). Those that `stages` ask are added.

    Raises:
        ValueError: a name occurs twice, or a stage comes before one that it needs.
    """

    name: str
    stages: Sequence[Stage]
    tags: Sequence[str] = ()
    secrets: Sequence[str] = ()
    digest: str | None = field(default=None, compare=False)
    timeout: float | None = None
    cleanup_grace: float = CLEANUP_GRACE
    cleanup_after_crash: bool = False
    concurrency: Concurrency | None = None
    history: CodeHistory | None = None
    answers: Sequence[StageName] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", tuple(self.stages))
        object.__setattr__(self, "tags", tuple(self.tags))
        object.__setattr__(self, "secrets", tuple(dict.fromkeys([*self.secrets, *build_secrets(self.stages)])))
        object.__setattr__(self, "answers", tuple(dict.fromkeys([*self.answers, *asked_stages(self.stages)])))
        seen: set[StageName] = set()
        for stage in self.stages:
            if stage.name in seen:
                raise ValueError(f"two stages are named {stage.name!r}")
            late = [name for name in stage.needs if name not in seen]
            if late:
                raise ValueError(f"stage {stage.name!r} comes before {late[0]!r}, which it needs")
            seen.add(stage.name)
        object.__setattr__(self, "stages", _with_paths(self.stages))

    @cached_property
    def by_name(self) -> Mapping[StageName, Stage]:
        """The stages by their names, in order."""
        return {stage.name: stage for stage in self.stages}

    @cached_property
    def containers(self) -> Mapping[StageName, Stage]:
        """The stages by their names, each followed by its services in the form of stages."""
        return {each.name: each for stage in self.stages for each in (stage, *stage.service_stages)}

    @cached_property
    def instances(self) -> Mapping[StageName, tuple[StageName, ...]]:
        """The instances of each stage that has any, by the name of the stage as it was written."""
        found: dict[StageName, tuple[StageName, ...]] = {}
        for stage in self.stages:
            if stage.instance is not None:
                found[stage.instance.of] = (*found.get(stage.instance.of, ()), stage.name)
        return found

    def named(self, targets: Iterable[StageName]) -> list[StageName]:
        """The stages that the targets name, each once. The name of a stage with instances means all of them.

        Raises:
            DefinitionError: a target is not a stage (DK040).
        """
        wanted = list(dict.fromkeys(targets))
        unknown = [name for name in wanted if name not in self.by_name and name not in self.instances]
        if unknown:
            raise DefinitionError(self._unknown_target(name) for name in unknown)
        found = (self.instances.get(name, ()) if name not in self.by_name else (name,) for name in wanted)
        return list(dict.fromkeys(name for names in found for name in names))

    def only(self, targets: Iterable[StageName]) -> Pipeline:
        """The targets and all that they need, in the same order; the whole pipeline if there are no targets.

        Raises:
            DefinitionError: a target is not a stage (DK040).
        """
        wanted = self.named(targets)
        if not wanted:
            return self
        chosen: set[StageName] = set()
        while wanted:
            name = wanted.pop()
            if name not in chosen:
                chosen.add(name)
                wanted.extend(self.by_name[name].needs)
        return replace(self, stages=[stage for stage in self.stages if stage.name in chosen], digest=None)

    def _unknown_target(self, name: StageName) -> Diagnostic:
        meant = did_you_mean(name, [*self.by_name, *self.instances])
        hint = f"did you mean `{meant}`?" if meant else "`dockercise compile --format text` lists the stages"
        return Diagnostic(Code.UNKNOWN_TARGET, f"the target `{name}` is not a stage of {self.name}", None, hint=hint)

    def with_digest(self, digest: str) -> Pipeline:
        """The same pipeline with this digest."""
        other = copy(self)
        object.__setattr__(other, "digest", digest)
        return other

    def __iter__(self) -> Iterator[Stage]:
        return iter(self.stages)

    def __len__(self) -> int:
        return len(self.stages)
