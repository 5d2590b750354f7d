"""Explains one stage for people: where it comes from, what it needs and why, which stages need it, what runs for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dockercise_prefect.emit.text import build_of, image_of, mount_of, settings_of
from dockercise_prefect.frontend.findings import printable
from dockercise_prefect.pipeline import (
    CODE,
    Dependency,
    DependencyKind,
    EnvSource,
    HostVariable,
    LiteralValue,
    ParameterValue,
    Pipeline,
    Stage,
    StageName,
    StageValue,
    StageValues,
    StageVolume,
)
from dockercise_prefect.pipeline.run_context import RUN_VARIABLES
from dockercise_prefect.pipeline.selection import run_of
from dockercise_prefect.pipeline.sensitivity import sensitive_stages
from dockercise_prefect.pipeline.sources import is_secret_file


def explanation(pipeline: Pipeline, name: StageName) -> str:
    """The explanation of a stage. It shows the names and sources of variables, never a value.

    Raises:
        DefinitionError: the stage does not exist (DK040).
    """
    if name not in pipeline.by_name and name in pipeline.instances:
        return _of_instances(pipeline, name)
    chosen = pipeline.only([name]).by_name
    joining = [stage.name for stage in run_of(pipeline, [name]) if stage.name not in chosen]
    stage = pipeline.by_name[name]
    users = [_row(user.name, _reason(user, edge)) for user in pipeline for edge in user.depends_on if edge.stage == name]
    sections = [
        [f"{printable(name)}, a stage of {printable(pipeline.name)}" + (f"  ({stage.place})" if stage.place else "")],
        [_row(key, value) for key, value in _facts(stage, sensitive_stages(pipeline).get(name))],
        ["needs", *(_row(edge.stage, _reason(stage, edge)) for edge in stage.depends_on)]
        if stage.depends_on
        else [_first(stage)],
        ["is needed by", *users] if users else ["no stage needs it"],
        [f"to run it, {len(chosen)} of {len(pipeline)} stages run, in this order", f"  {printable(', '.join(chosen))}"],
        *([["clean-up stages of that run", f"  {printable(', '.join(joining))}"]] if joining else []),
    ]
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def _of_instances(pipeline: Pipeline, name: StageName) -> str:
    """The explanation of a stage with `matrix`: its instances, and the stages that need them."""
    instances = [pipeline.by_name[one] for one in pipeline.instances[name]]
    chosen = pipeline.only([name]).by_name
    users: dict[str, int] = {}
    for user in pipeline:
        if user.written_name != name and not set(user.needs).isdisjoint(pipeline.instances[name]):
            users[user.written_name] = users.get(user.written_name, 0) + 1
    place = f"  ({instances[0].place})" if instances[0].place else ""
    values = [
        (axis, dict.fromkeys(one.instance.values[axis] for one in instances if one.instance)) for axis in _axes(instances)
    ]
    count = "1 instance" if len(instances) == 1 else f"{len(instances)} instances"
    sections = [
        [f"{printable(name)}, a stage of {printable(pipeline.name)} with {count}{place}"],
        [_row(axis, ", ".join(found)) for axis, found in values],
        [
            "instances",
            *(_row(one.name, image_of(one.image) if one.build is None else build_of(one.build)) for one in instances),
        ],
        [
            "is needed by",
            *(f"  {printable(user)}" + (f", {count} instances" if count > 1 else "") for user, count in users.items()),
        ]
        if users
        else ["no stage needs it"],
        [
            f"to run all of them, {len(chosen)} of {len(pipeline)} stages run",
            f"  `dockercise explain '{printable(instances[0].name)}'` explains one of them",
        ],
    ]
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def _axes(instances: Sequence[Stage]) -> Sequence[str]:
    return [] if instances[0].instance is None else list(instances[0].instance.values)


def _first(stage: Stage) -> str:
    """When a stage runs that needs no other stage."""
    return "comes after all ordinary stages" if stage.when.cleans_up else "needs no other stage"


def _row(name: str, text: str) -> str:
    return f"  {printable(name):<10} {printable(text)}"


def _facts(stage: Stage, sensitive: str | None) -> Iterator[tuple[str, str]]:
    yield "image", image_of(stage.image) if stage.build is None else build_of(stage.build)
    if stage.run is not None:
        lines = len(stage.run.splitlines())
        script = "a script of 1 line" if lines == 1 else f"a script of {lines} lines"
        yield "run", script if stage.entrypoint is None else "arguments of the entrypoint"
    elif stage.starts_container:
        yield "run", "the image's own entrypoint and command"
    if stage.starts_container:
        yield "dir", stage.working_dir
        yield "volume", f"{stage.folder}, {_beginning(stage)}"
    yield from (("mount", mount_of(mount)) for mount in stage.mounts)
    for variable, source in stage.env.items():
        what = "a secret file: " if is_secret_file(variable) else ""
        yield "file" if what else "variable", f"{variable}, {what}{_source(source)}"
    for service in stage.service_stages:
        env = service.env.items()
        yield from (("variable", f"{variable} of {service.name}, {_source(source)}") for variable, source in env)
        yield from (("mount", f"{mount_of(mount)} in {service.name}") for mount in service.mounts)
    if stage.joins_only:
        yield "value", f"the variable {stage.name} from --env, --env-file or the run's `env`, else empty"
    yield from settings_of(stage)
    if sensitive is not None:
        yield "sensitive", sensitive


def _beginning(stage: Stage) -> str:
    if stage.on is None:
        return "its own, empty at the start"
    return "its own, at the start a copy of " + ("the code" if stage.on == CODE else f"the volume of {stage.on}")


def _source(source: EnvSource) -> str:
    match source:
        case StageValue(stage):
            return f"the value of {stage}"
        case StageValues(stages):
            return f"the values of {', '.join(stages)}, one on each line"
        case HostVariable(name) if name in RUN_VARIABLES:
            return "set by the run, empty if it is not known"
        case HostVariable(name, optional):
            return f"{name} from outside" + (", unset if nothing sets it" if optional else "")
        case LiteralValue():
            return "written in the pipeline"
        case ParameterValue(parameter):
            return f"the parameter {parameter}"


def _reason(stage: Stage, edge: Dependency) -> str:
    """Why `stage`, which has the edge, runs after the edge's stage."""
    phrase = "builds from the volume of" if _is_context(stage, edge) else edge.kind.phrase
    written = f"inferred from `{edge.reference}`" if edge.inferred else f"by `{edge.kind}`"
    return f"{phrase} {edge.stage}, {written}" + (f"  ({edge.place})" if edge.place else "")


def _is_context(stage: Stage, edge: Dependency) -> bool:
    mounted = any(mount.source == StageVolume(edge.stage) for mount in stage.mounts)
    is_built = stage.build is not None and stage.build.context == StageVolume(edge.stage)
    return edge.kind is DependencyKind.VOL and is_built and not mounted
