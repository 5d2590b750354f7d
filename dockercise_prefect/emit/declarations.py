"""Writes stages as the calls of `dockercise_prefect.pipeline` that declare them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dockercise_prefect.emit.calls import WIDTH, bracketed, call
from dockercise_prefect.emit.identifiers import stage_identifiers
from dockercise_prefect.emit.lifecycle import functions_of, run_arguments, stage_arguments
from dockercise_prefect.emit.literals import one_line, text_literal
from dockercise_prefect.emit.parameters import declared_parameter
from dockercise_prefect.emit.services import services_argument
from dockercise_prefect.pipeline import (
    CODE,
    Build,
    CodeSnapshot,
    DependencyKind,
    Each,
    EngineVolume,
    EnvSource,
    HostPath,
    HostVariable,
    Image,
    ImageReference,
    Instance,
    LiteralValue,
    Mount,
    Network,
    ParameterValue,
    Pipeline,
    PullPolicy,
    Stage,
    StageImage,
    StageValue,
    StageValues,
    StageVolume,
)

_ORDERING = {"after": DependencyKind.AFTER, "only_if": DependencyKind.IF, "unless": DependencyKind.UNLESS}
"""Arguments that only name stages, and the edges that they make."""


class Declarations:
    """Writes the declarations of one pipeline, and remembers which names they use."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._identifiers = stage_identifiers(pipeline.name, [stage.name for stage in pipeline])
        self._used = {"Pipeline", *functions_of(pipeline)}

    def imports(self) -> list[str]:
        """The names to import, classes first; complete after everything is written."""
        return sorted(self._used, key=lambda name: (name.islower(), name))

    def stage(self, stage: Stage) -> str:
        """The assignment of a `stage(…)`: one argument on each line, without those that have their default."""
        self._used.add("stage")
        lines = [one_line(stage.name), *(f"{name}={value}" for name, value in self._arguments(stage))]
        body = "".join(f"    {line},\n" for line in lines)
        return f"{self._identifiers[stage.name]} = stage(\n{body})"

    def pipeline(self) -> str:
        """The assignment of the `Pipeline(…)`."""
        stages = bracketed([self._identifiers[stage.name] for stage in self._pipeline], indent=4, before="")
        tags = [one_line(tag) for tag in self._pipeline.tags]
        lines = [one_line(self._pipeline.name), stages]
        lines += [f"tags={bracketed(tags, indent=4, before='tags=')}"] if tags else []
        secrets = [one_line(name) for name in self._pipeline.secrets]
        lines += [f"secrets={bracketed(secrets, indent=4, before='secrets=')}"] if secrets else []
        lines += [f"{name}={value}" for name, value in run_arguments(self._pipeline)]
        lines += self._parameters()
        lines += [f"digest={one_line(self._pipeline.digest)}"] if self._pipeline.digest else []
        return "pipeline = Pipeline(\n" + "".join(f"    {line},\n" for line in lines) + ")"

    def _parameters(self) -> Iterator[str]:
        if self._pipeline.parameters:
            self._used.add("parameter")
            entries = "".join(f"        {declared_parameter(one)},\n" for one in self._pipeline.parameters)
            yield f"parameters=[\n{entries}    ]"

    def _arguments(self, stage: Stage) -> Iterator[tuple[str, str]]:
        yield from self._instances(stage)
        if stage.image is not None:
            yield "image", self._image(stage.image)
        if stage.build is not None:
            yield "build", self._build(stage.build)
        for argument, kind in _ORDERING.items():
            yield from self._list(argument, self._edges(stage, kind))
        if stage.env:
            entries = "".join(f"        {one_line(name)}: {self._source(source)},\n" for name, source in stage.env.items())
            yield "env", f"{{\n{entries}    }}"
        yield from self._list("volumes", [self._mount(mount) for mount in stage.mounts])
        if stage.on is not None:
            yield "on", self._code() if stage.on == CODE else self._identifiers[stage.on]
        yield from self._list("reads", self._edges(stage, DependencyKind.OUT))
        if stage.working_dir != ("/" if stage.on is None else stage.folder):
            yield "working_dir", one_line(stage.working_dir)
        if stage.run is not None:
            yield "run", text_literal(stage.run)
        yield from self._settings(stage)
        if stage.place is not None:
            yield "at", one_line(str(stage.place))

    def _instances(self, stage: Stage) -> Iterator[tuple[str, str]]:
        if stage.instance is not None:
            yield "instance", self._instance(stage.instance)
        if stage.each is not None:
            yield "each", self._each(stage.each)

    def _settings(self, stage: Stage) -> Iterator[tuple[str, str]]:
        if stage.timeout is not None:
            yield "timeout", repr(stage.timeout)
        if stage.no_log is not None:
            yield "no_log", repr(stage.no_log)
        if stage.never_fail:
            yield "never_fail", "True"
        yield from self._list("triggers", [one_line(pattern) for pattern in stage.triggers])
        if stage.user is not None:
            yield "user", one_line(stage.user)
        if stage.network is not Network.BRIDGE:
            yield "network", one_line(stage.network)
        if stage.pull is not PullPolicy.MISSING:
            yield "pull", one_line(stage.pull)
        if stage.platform is not None:
            yield "platform", one_line(stage.platform)
        yield from self._limits_and_rights(stage)

    def _limits_and_rights(self, stage: Stage) -> Iterator[tuple[str, str]]:
        if stage.cpus is not None:
            yield "cpus", repr(stage.cpus)
        if stage.memory is not None:
            yield "memory", repr(stage.memory)
        yield from stage_arguments(stage)
        if stage.sudo:
            yield "sudo", "True"
        if stage.services:
            self._used.add("service")
            yield "services", services_argument(stage.services, self._image, self._source, self._mount)

    def _list(self, name: str, items: Sequence[str]) -> Iterator[tuple[str, str]]:
        if items:
            yield name, bracketed(items, indent=4, before=f"{name}=")

    def _edges(self, stage: Stage, kind: DependencyKind) -> list[str]:
        return [self._identifiers[edge.stage] for edge in stage.depends_on if edge.kind is kind]

    def _instance(self, instance: Instance) -> str:
        self._used.add("instance")
        values = [f"{name}={one_line(value)}" for name, value in instance.values.items()]
        return call("instance", [one_line(instance.of), *values], before="instance=")

    def _image(self, image: Image) -> str:
        match image:
            case ImageReference(ref):
                return one_line(ref)
            case StageImage(stage):
                return self._identifiers[stage]

    def _each(self, each: Each) -> str:
        if each.limit is None:
            return self._identifiers[each.stage]
        self._used.add("each")
        return call("each", [self._identifiers[each.stage], f"limit={each.limit}"], before="each=")

    def _build(self, build: Build) -> str:
        self._used.add("built_from")
        match build.context:
            case CodeSnapshot():
                arguments = [self._code()]
            case StageVolume(stage):
                arguments = [self._identifiers[stage]]
        if build.folder != ".":
            arguments.append(one_line(build.folder))
        if build.dockerfile != "Dockerfile":
            arguments.append(f"dockerfile={one_line(build.dockerfile)}")
        if build.args:
            arguments.append(f"args={_mapping(build.args)}")
        if build.target is not None:
            arguments.append(f"target={one_line(build.target)}")
        if build.secrets:
            arguments.append(f"secrets=[{', '.join(one_line(name) for name in build.secrets)}]")
        return call("built_from", arguments, before="build=")

    def _source(self, source: EnvSource) -> str:
        match source:
            case StageValue(stage):
                return f"{self._identifiers[stage]}.value"
            case StageValues(stages):
                self._used.add("values_of")
                return _values([self._identifiers[stage] for stage in stages])
            case HostVariable(name, optional):
                self._used.add("host")
                return f"host({one_line(name)}, optional=True)" if optional else f"host({one_line(name)})"
            case LiteralValue(text):
                return one_line(text)
            case ParameterValue(parameter):
                self._used.add("ParameterValue")
                return f"ParameterValue({one_line(parameter)})"

    def _mount(self, mount: Mount) -> str:
        match mount.source:
            case StageVolume(stage):
                return _placed(f"{self._identifiers[stage]}.volume", mount, self._pipeline.by_name[stage].volume.target)
            case CodeSnapshot(""):
                return _placed(self._code(), mount, f"/{CODE}")
            case CodeSnapshot(folder):
                self._used.add("code_folder")
                return _placed(f"code_folder({one_line(folder)})", mount, f"/{CODE}/{folder}")
            case HostPath(path):
                return self._call("bind", path, mount)
            case EngineVolume(name):
                return self._call("engine_volume", name, mount)

    def _code(self) -> str:
        self._used.add("code")
        return "code"

    def _call(self, function: str, source: str, mount: Mount) -> str:
        self._used.add(function)
        mode = "" if mount.mode == "rw" else f", {one_line(mount.mode)}"
        return f"{function}({one_line(source)}, {one_line(mount.target)}{mode})"


def _values(stages: Sequence[str]) -> str:
    """The source of a variable with the values of several stages: on one line if they are few."""
    line = f"values_of({', '.join(stages)})"
    if len(line) <= WIDTH // 2:
        return line
    return "values_of(\n" + "".join(f"            {stage},\n" for stage in stages) + "        )"


def _placed(expression: str, mount: Mount, usual: str) -> str:
    return expression if mount.target == usual else f"{expression}.at({one_line(mount.target)})"


def _mapping(texts: Mapping[str, str]) -> str:
    """A mapping as an argument of a split call: on one line if it fits, else with one entry on each line."""
    entries = [f"{one_line(name)}: {one_line(text)}" for name, text in texts.items()]
    line = "{" + ", ".join(entries) + "}"
    if 8 + len("args=") + len(line) + len(",") <= WIDTH:
        return line
    return "{\n" + "".join(f"            {entry},\n" for entry in entries) + "        }"
