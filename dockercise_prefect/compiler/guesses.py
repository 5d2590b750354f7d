"""Removes uncertain inferred edges that would close a cycle."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from dockercise_prefect.compiler.drafts import Draft
from dockercise_prefect.compiler.graph import in_order, knots
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.pipeline import Code, Dependency, DependencyKind, StageName, StageVolume


def without_guessed_cycles(drafts: Mapping[StageName, Draft], findings: Findings) -> dict[StageName, Draft]:
    """The stages without the guessed edges between stages that wait for each other (DK039).

    All guessed edges between them are left out, not the smallest possible number. So the result does not depend on the order of
    stages. Certain edges stay, and a cycle of certain edges is an error.
    """
    found = dict(drafts)
    edges = {name: draft.edges for name, draft in drafts.items()}
    if len(in_order({name: [edge.stage for edge in mine] for name, mine in edges.items()})) == len(drafts):
        return found
    for knot in knots(edges):
        for name in knot:
            if drafts[name].guessed:
                found[name] = _without(drafts[name], knot, findings)
    return found


def _without(draft: Draft, knot: AbstractSet[StageName], findings: Findings) -> Draft:
    left_out = [edge for edge in draft.edges if edge.stage in knot and _is_guessed(edge, draft)]
    if not left_out:
        return draft
    for edge in left_out:
        kind = DependencyKind.AFTER if edge.kind is DependencyKind.OUT else edge.kind
        findings.warn(
            Code.LEFT_OUT,
            f"{draft.name}: the reference to `{edge.reference}` is left out, because it would create a cycle",
            edge.place,
            hint=f"if the script needs it, write `{kind}: {edge.stage}` to see the cycle; if not, write "
            "`# dockercise: ignore references` on its line",
        )
    volumes = {StageVolume(edge.stage) for edge in left_out}
    return replace(
        draft,
        edges=[edge for edge in draft.edges if edge not in left_out],
        mounts=[placed for placed in draft.mounts if not (placed.inferred and placed.mount.source in volumes)],
    )


def _is_guessed(edge: Dependency, draft: Draft) -> bool:
    return edge.inferred and (edge.kind, edge.stage) in draft.guessed
