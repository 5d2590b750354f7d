"""Runs some of the stages that could be reused all the same, and compares what they leave (docs/adr/0045)."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.cache.entry import Entry
from dockercise_prefect.results.summary import AuditSummary
from dockercise_prefect.runtime.stage.job import JobResult
from dockercise_prefect.status import StageStatus

_COMPARED = {StageStatus.PASSED, StageStatus.TOLERATED, StageStatus.FAILED}
"""How a stage ends that says something about itself. One that was stopped, or that the engine has lost, does not."""


def is_drawn(stage: StageName, run_id: str, one_in: int) -> bool:
    """Whether a stage that could be reused in a run is run all the same. The same run always draws the same stages.

    Args:
        stage: the stage.
        run_id: the run.
        one_in: of so many stages, one is drawn on average; 0 for none.
    """
    if one_in == 0:
        return False
    return int.from_bytes(sha256(f"{run_id}\n{stage}".encode("utf-8", "surrogateescape")).digest()) % one_in == 0


def compared(result: JobResult, then: Entry) -> AuditSummary | None:
    """How a stage that ran compares with what could have been reused; None if not all of what it left is known.

    Args:
        result: of the stage. The content of its volume is known, if it can be.
        then: what could have been reused.
    """
    stdout, volume = result.stdout, result.volume
    if result.status not in _COMPARED or stdout is None or stdout.digest is None:
        return None
    if volume is not None and volume.written and volume.digest is None:
        return None
    volume_digest = volume.digest if volume is not None and volume.written else None
    found = list(_differences(result, stdout.digest, volume_digest, then))
    return AuditSummary(then.run_id, " and ".join(found) or None)


def why_withdrawn(run_id: str) -> str:
    """Why a stage is not reused whose reuse a run has withdrawn."""
    return f"it left something else in {run_id}, although nothing that it is made from had changed"


def _differences(result: JobResult, output: str, volume: str | None, then: Entry) -> Iterator[str]:
    if result.exit_code not in {0, None}:
        yield f"it ended with exit code {result.exit_code}"
    if output != then.output_digest:
        yield "what it printed differs"
    if volume != then.volume_digest:
        yield "its volume differs"
