"""The lines that `gc` prints."""

from __future__ import annotations

from collections.abc import Sequence

from dockercise_prefect.orchestration.gc.item import Outcome
from dockercise_prefect.results.reading.terminal_text import plain_line
from dockercise_prefect.results.reading.wording import size_words


def outcome_line(outcome: Outcome, *, dry_run: bool) -> str:
    """What was done or would be done, and why; or what failed."""
    item = outcome.item
    if item is None:
        return str(outcome.problem)
    if outcome.problem is not None:
        return f"could not {item.verb.value} {plain_line(item.name)}: {outcome.problem}"
    size = "" if item.size is None else f" ({size_words(item.size)})"
    what = f"would {item.verb.value}" if dry_run else item.verb.past
    return plain_line(f"{what} {item.name}{size}: {item.why}")


def total_line(outcomes: Sequence[Outcome], *, dry_run: bool) -> str:
    """How much was done or would be done."""
    done = [outcome.item for outcome in outcomes if outcome.item and (outcome.done or dry_run)]
    failed = sum(outcome.problem is not None for outcome in outcomes)
    size = sum(item.size or 0 for item in done)
    parts = [f"{len(done)} thing{'' if len(done) == 1 else 's'} {'to do' if dry_run else 'done'}" if done else "nothing to do"]
    if size:
        parts.append(f"{size_words(size)} {'would be ' if dry_run else ''}set free")
    if failed:
        parts.append(f"{failed} failed")
    return ", ".join(parts)
