"""When the stages of a run ran, and which of them its end waited for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dockercise_prefect.results.summary import StageSummary


def critical_path(needs: Mapping[str, Sequence[str]], stages: Mapping[str, StageSummary]) -> tuple[str, ...]:
    """The chain of stages that made the run as long as it was, first to last: to make it shorter, shorten one of them.

    It ends with the stage that ended last, in a run that failed with the failure that came last. Before each stage
    comes the one that ended last of those it needs.

    Args:
        needs: for each stage, the stages it runs after.
        stages: how they ended; those that never started are on no path.
    """
    ends = {name: stage.finished for name, stage in stages.items() if stage.started and stage.finished}
    path: list[str] = []
    candidates: Sequence[str] = [name for name in ends if stages[name].status.to_blame] or list(ends)
    while last := _last_to_end(candidates, ends):
        path.append(last)
        candidates = needs.get(last, ())
    return tuple(reversed(path))


def _last_to_end(names: Sequence[str], ends: Mapping[str, str]) -> str | None:
    # All times are ISO 8601 in UTC, written by one program: their order is that of their texts.
    return max((name for name in names if name in ends), key=lambda name: (ends[name], name), default=None)
