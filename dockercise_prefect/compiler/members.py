"""Checks stages with `each`, and what other stages want of them (docs/adr/0059)."""

from __future__ import annotations

from collections.abc import Mapping

from dockercise_prefect.compiler.drafts import Draft
from dockercise_prefect.errors import Related
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.pipeline import EACH_VARIABLE, Code, Dependency, DependencyKind, StageName, StageVolume


def report_wrong_members(drafts: Mapping[StageName, Draft], findings: Findings) -> None:
    """Report stages that cannot have members, and stages that need the one volume or image of a stage with members."""
    groups = {name for name, draft in drafts.items() if draft.each is not None}
    if not groups:
        return
    for draft in drafts.values():
        if draft.each is not None:
            _check_group(draft, findings)
        for edge in draft.edges:
            if edge.stage in groups and (why := _wants_one(draft, edge)) is not None:
                findings.error(
                    Code.SEVERAL_MEMBERS,
                    f"{draft.name}: {why} `{edge.stage}`, which has `each`, and so not one but several of them",
                    edge.place,
                    hint=f"`vol: {edge.stage}` mounts the volumes of all members, each in a folder below `/{edge.stage}`",
                    related=[Related("the stage is here", drafts[edge.stage].place)],
                )


def _check_group(draft: Draft, findings: Findings) -> None:
    if not draft.leaves_image:
        findings.error(
            Code.NO_MEMBERS,
            f"{draft.name}: `each` has nothing to run for each line, because the stage starts no container",
            draft.each_place,
            hint="add `img: …`, or remove `each`",
        )
    own = draft.env.get(EACH_VARIABLE)
    if own is not None:
        findings.error(
            Code.VARIABLE_TWICE,
            f"{draft.name}: the variable `{EACH_VARIABLE}` has two sources: the line of the member, and this one",
            own.place,
            hint="give this one another name",
            related=[Related("`each` is here", draft.each_place)] if draft.each_place else [],
        )


def _wants_one(draft: Draft, edge: Dependency) -> str | None:
    match edge.kind:
        case DependencyKind.ON:
            return "`on` names the volume of"
        case DependencyKind.IMG:
            return "`img` names the image of"
        case DependencyKind.VOL if draft.build is not None and draft.build.build.context == StageVolume(edge.stage):
            return "`build` names the volume of"
        case _:
            return None
