"""Checks what stages wait for, over the whole pipeline (LANGUAGE-2 section 9)."""

from __future__ import annotations

from dockercise_prefect.errors import Related
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.pipeline import Code, Pipeline, Stage


def report_gates(pipeline: Pipeline, findings: Findings) -> None:
    """Report stages that ask when nobody can answer (DK096), and groups with several limits (DK097)."""
    first: dict[str, Stage] = {}
    for stage in pipeline:
        if stage.approve is not None and stage.when.cleans_up:
            findings.error(
                Code.CLEAN_UP_ASKS,
                f"{stage.name}: `approve` asks somebody, but a stage with `when: {stage.when.status}` runs by itself",
                stage.place,
                hint="remove one of the two: nobody can be asked while a run is being stopped",
            )
        turn = stage.concurrency
        if turn is None:
            continue
        other = first.setdefault(turn.group, stage)
        if other.concurrency != turn and other.place is not None:
            findings.error(
                Code.TWO_LIMITS,
                f"{stage.name}: the group `{turn.group}` has the limit {turn.limit} here, and another one in {other.name}",
                stage.place,
                hint="write the same limit in all stages of the group",
                related=[Related("the other stage is here", other.place)],
            )
