"""The members of a stage with `each`: their names, and what the stages after it see of them (docs/adr/0059)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from dockercise_prefect.pipeline.dependency import Dependency
from dockercise_prefect.pipeline.instances import instance_key
from dockercise_prefect.pipeline.model import Pipeline, Stage
from dockercise_prefect.pipeline.sources import EnvSource, Mount, StageName, StageValue, StageValues, StageVolume


def distinct_lines(value: bytes) -> list[str]:
    """The lines of a value, each once, without blank ones and without white space at both ends.

    Bytes that are not UTF-8 become half surrogate pairs: such a line cannot be a variable, so its member fails.
    """
    lines = (line.strip() for line in value.split(b"\n"))
    return [line.decode("utf-8", "surrogateescape") for line in dict.fromkeys(lines) if line]


def keys_of(lines: Iterable[str]) -> list[str]:
    """The key of the member for each line. Of lines that would have the same key, the later ones get a number: `a_b-2`."""
    keys: dict[str, None] = {}
    for line in lines:
        wanted, number = instance_key([line]), 1
        key = wanted
        while key in keys:
            number += 1
            key = instance_key([f"{wanted}-{number}"])
        keys[key] = None
    return list(keys)


def seeing_members(stage: Stage, members: Mapping[StageName, Sequence[Stage]]) -> Stage:
    """A stage with edges to members in place of its edges to their groups: it sees what each member left.

    The value of a group is the values of its members, as lines. Its volume is a folder for each member. A group without
    members is seen as a stage that left nothing.

    Args:
        stage: the stage, which may start.
        members: the members of the groups that have any.
    """
    if members.keys().isdisjoint(stage.needs):
        return stage
    return replace(
        stage,
        env={name: _values(source, members) for name, source in stage.env.items()},
        mounts=tuple(seen for mount in stage.mounts for seen in _mounts(mount, members)),
        services=tuple(
            replace(
                service,
                env={name: _values(source, members) for name, source in service.env.items()},
                mounts=tuple(seen for mount in service.mounts for seen in _mounts(mount, members)),
            )
            for service in stage.services
        ),
        depends_on=tuple(seen for edge in stage.depends_on for seen in _edges(edge, members)),
    )


def with_members(pipeline: Pipeline, names: Iterable[StageName]) -> Pipeline:
    """The pipeline of a recorded run with the members that the run had, behind their group.

    Args:
        pipeline: as it was compiled.
        names: of stages of the run. Those that are not members are left out.
    """
    if not pipeline.groups:
        return pipeline
    found: dict[StageName, list[Stage]] = defaultdict(list)
    for name in names:
        if name not in pipeline.by_name:
            member = pipeline.find(name)
            found[member.written_name].append(member)
    stages = [one for stage in pipeline for one in (stage, *found.get(stage.name, ()))]
    return replace(pipeline, stages=stages)


def without_members(pipeline: Pipeline) -> Pipeline:
    """The pipeline as it was before `with_members`."""
    stages = [stage for stage in pipeline if stage.name == stage.declared_name]
    return pipeline if len(stages) == len(pipeline) else replace(pipeline, stages=stages)


def _values(source: EnvSource, members: Mapping[StageName, Sequence[Stage]]) -> EnvSource:
    match source:
        case StageValue(stage) if stage in members:
            return StageValues(tuple(member.name for member in members[stage]))
        case _:
            return source


def _mounts(mount: Mount, members: Mapping[StageName, Sequence[Stage]]) -> Iterator[Mount]:
    match mount.source:
        case StageVolume(stage) if stage in members:
            for member in members[stage]:
                yield Mount(StageVolume(member.name), f"{mount.target}/{_key(member)}", mount.mode)
        case _:
            yield mount


def _edges(edge: Dependency, members: Mapping[StageName, Sequence[Stage]]) -> Iterator[Dependency]:
    if edge.stage not in members:
        yield edge
        return
    for member in members[edge.stage]:
        yield replace(edge, stage=member.name, seen_as=f"{edge.stage}/{_key(member)}")


def _key(member: Stage) -> str:
    return "" if member.instance is None else member.instance.key
