"""The critical path of a run: the stages that its end waited for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dockercise_prefect.results.summary import StageSummary


def critical_path(needs: Mapping[str, Sequence[str]], stages: Mapping[str, StageSummary]) -> tuple[str, ...]:
    """The chain of stages that determined the duration of the run, first to last. A shorter run needs a shorter one of them.

    It ends with the stage that ended last; in a run that failed, with the last failure. Before each stage comes the stage
    that ended last of those that it needs.

    Args:
        needs: for each stage, the stages that it runs after.
        stages: how the stages ended. Stages that never started are not on the path.
    """
    ends = {name: stage.finished for name, stage in stages.items() if stage.started and stage.finished}
    path: list[str] = []
    candidates: Sequence[str] = [name for name in ends if stages[name].status.to_blame] or list(ends)
    while last := _last_to_end(candidates, ends):
        path.append(last)
        candidates = needs.get(last, ())
    return tuple(reversed(path))


def _last_to_end(names: Sequence[str], ends: Mapping[str, str]) -> str | None:
    # All times are ISO 8601 in UTC, written by one program, so their texts sort in order of time.
    return max((name for name in names if name in ends), key=lambda name: (ends[name], name), default=None)
