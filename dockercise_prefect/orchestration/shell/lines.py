"""The line of a member of a group, found again in a record (docs/adr/0059)."""

from __future__ import annotations

from dockercise_prefect.errors import StorageError
from dockercise_prefect.pipeline import DependencyKind, Pipeline, Stage, StageName
from dockercise_prefect.pipeline.members import distinct_lines, keys_of
from dockercise_prefect.results.reading.run_view import RunView


def is_member(stage: Stage) -> bool:
    """Whether the stage is a member of a group (`each`)."""
    return stage.each is not None and not stage.is_group


def printers_of(member: Stage, pipeline: Pipeline) -> list[StageName]:
    """The stages that printed the lines of a member's group, in order.

    Args:
        member: the member.
        pipeline: of a recorded run, with the members that the run had.
    """
    group = pipeline.by_name[member.written_name]
    earlier = [edge.stage for edge in group.depends_on if edge.kind is DependencyKind.EACH]
    return [name for one in earlier for name in pipeline.instances.get(one, (one,))]


def line_of(member: Stage, view: RunView) -> str:
    """The line that the member has in its variable.

    Raises:
        StorageError: what was printed cannot be read, or has no such line.
    """
    printed = [b"".join(view.run.output(name)).strip() for name in printers_of(member, view.pipeline)]
    lines = distinct_lines(b"\n".join(printed))
    found = dict(zip(keys_of(lines), lines, strict=True)).get(member.instance.key if member.instance else "")
    if found is None:
        raise StorageError(f"the record of {view.run.run_id} has no line for {member.name}")
    return found
