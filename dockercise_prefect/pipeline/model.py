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
from dockercise_prefect.pipeline.dependency import Dependency, DependencyKind
from dockercise_prefect.pipeline.each import Each
from dockercise_prefect.pipeline.gates import Approval, StageConcurrency
from dockercise_prefect.pipeline.history import CodeHistory
from dockercise_prefect.pipeline.instances import Instance, instance_name, seen_as
from dockercise_prefect.pipeline.lifecycle import CLEANUP_GRACE, ORDINARY, STOP_GRACE, Concurrency, Retries, When
from dockercise_prefect.pipeline.parameters.values import Parameter
from dockercise_prefect.pipeline.services import Service
from dockercise_prefect.pipeline.sources import Build, EnvSource, Image, Mount, StageName, StageValue, StageVolume, folded


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
        gpus: which GPUs of the engine's machine it gets, as in `docker run --gpus`; None for none.
        sudo: whether programs such as `sudo` may get rights that the stage's user does not have.
        cache: whether it may be reused; None for no.
        services: the containers beside it.
        each: the lines that it has members for; None for a stage without members.
        instance: which instance of a stage with `matrix` or `each` it is; None if it is not an instance.
        instance: which instance of a stage with `matrix` it is; None if it is not an instance.
        approve: what somebody must agree to before it runs; None for nothing.
        concurrency: how many stages of its group run at once; None for no limit.
        junit: globs of its test reports, from its own volume on.
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
    gpus: str | None = None
    sudo: bool = False
    cache: Cache | None = None
    services: tuple[Service, ...] = ()
    each: Each | None = None
    instance: Instance | None = None
    approve: Approval | None = None
    concurrency: StageConcurrency | None = None
    junit: tuple[str, ...] = ()
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
    def is_group(self) -> bool:
        """Whether the stage itself does not run, but its members do (`each`)."""
        return self.each is not None and self.instance is None

    @property
    def declared_name(self) -> StageName:
        """The name of the stage in its pipeline, which has groups, but not their members."""
        return self.written_name if self.each is not None else self.name

    def member(self, key: str) -> Stage:
        """The member of this group with that key. It sees the stage that printed the lines only if the group names it."""
        edges = tuple(edge for edge in self.depends_on if edge.kind is not DependencyKind.EACH)
        return replace(self, name=instance_name(self.name, key), instance=Instance(self.name, key), depends_on=edges)

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
    def all_variables(self) -> tuple[tuple[str, EnvSource], ...]:
        """Its variables and those of its services, each with its source."""
        return tuple(item for each in (self.env, *(service.env for service in self.services)) for item in each.items())

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
                when=self.when,
                each=self.each,
                instance=self._instance_of(service.name),
                place=service.place or self.place,
            )
            for service in self.services
        )

    def _instance_of(self, service: str) -> Instance | None:
        """Of a member, its service belongs to the service of the group. In a matrix, each instance has its own."""
        if self.each is None or self.instance is None:
            return None
        return replace(self.instance, of=f"{self.instance.of}.{service}")

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
        parameters: values that whoever starts a run chooses.

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
    parameters: Sequence[Parameter] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", tuple(self.stages))
        object.__setattr__(self, "tags", tuple(self.tags))
        object.__setattr__(self, "parameters", tuple(self.parameters))
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

    @cached_property
    def groups(self) -> tuple[Stage, ...]:
        """The stages whose members are made while the pipeline runs (`each`)."""
        return tuple(stage for stage in self.stages if stage.is_group)

    def has(self, name: StageName) -> bool:
        """Whether `find` knows the name."""
        return name in self.by_name or any(name.startswith(f"{group.name}(") and name.endswith(")") for group in self.groups)

    def find(self, name: StageName) -> Stage:
        """The stage with this name. It can be a member of a group, although members are not in the pipeline, or a service.

        Raises:
            KeyError: no stage has that name, and no group can have a member of that name.
        """
        if name in self.containers:
            return self.containers[name]
        for group in self.groups:
            if name.startswith(f"{group.name}("):
                key, _, _ = name.removeprefix(f"{group.name}(").rpartition(")")
                member = group.member(key)
                found = next((each for each in (member, *member.service_stages) if each.name == name), None)
                if found is not None:
                    return found
        raise KeyError(name)

    def container(self, name: StageName) -> Stage:
        """The stage with this name, or the service, in the form of a stage. Both can be of a member of a group.

        Raises:
            KeyError: no stage and no service has that name.
        """
        if name in self.containers:
            return self.containers[name]
        if self.has(name):
            return self.find(name)
        owner, bracket, _ = name.rpartition(").")
        services = self.find(f"{owner})").service_stages if bracket else ()
        found = next((service for service in services if service.name == name), None)
        if found is None:
            raise KeyError(name)
        return found

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
        if self.has(name):
            group = self.find(name).written_name
            message = f"the target `{name}` is a member of {group}, and members are known only while a run goes on"
            return Diagnostic(Code.UNKNOWN_TARGET, message, None, hint=f"`{group}` runs all of its members")
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
