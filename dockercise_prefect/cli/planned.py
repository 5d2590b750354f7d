"""Shows a plan: as text, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dockercise_prefect.compiler.plan import Difference, Work
from dockercise_prefect.frontend.discover import shown
from dockercise_prefect.frontend.findings import printable
from dockercise_prefect.git.ask import Revision

LISTED = 20
"""How many changed files the text lists. JSON has all of them."""


@dataclass(frozen=True, slots=True)
class Planned:
    """Everything that a plan contains.

    Attributes:
        since: the revision that the working tree was compared with.
        paths: the changed files, relative to the root.
        note: why the earlier pipeline is unknown, and which submodules were left out, or None.
    """

    since: Revision
    difference: Difference
    paths: Sequence[str]
    work: Work
    note: str | None


def as_json(plan: Planned) -> str:
    """The plan as one JSON object. Its format is stable."""
    difference, work = plan.difference, plan.work
    data = {
        "since": {"revision": plan.since.name, "commit": plan.since.commit},
        "note": plan.note,
        "added": list(difference.added),
        "changed": {name: list(fields) for name, fields in difference.changed.items()},
        "affected": dict(difference.affected),
        "removed": list(difference.removed),
        "changed_files": [shown(path) for path in plan.paths],
        "targets": {
            name: [{"glob": match.glob, "path": shown(match.path)} for match in matches]
            for name, matches in work.targets.items()
        },
        "would_run": {name: shown(reason) for name, reason in work.reasons.items()},
        "would_skip": {name: shown(reason) for name, reason in work.skipped.items()},
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def as_text(plan: Planned) -> str:
    """The plan as text: what changed, then what would run."""
    return "".join(f"{line}\n" for line in _lines(plan))


def _lines(plan: Planned) -> Iterator[str]:
    yield f"since {printable(plan.since.name)} ({plan.since.commit[:12]})"
    if plan.note:
        yield f"note: {printable(plan.note)}"
    yield ""
    yield from _titled("stages", list(_stages(plan.difference)), "no stage changed")
    yield ""
    files = [shown(path) for path in plan.paths[:LISTED]]
    more = [f"… and {len(plan.paths) - LISTED} more"] if len(plan.paths) > LISTED else []
    yield from _titled("changed files", files + more, "no file changed")
    yield ""
    yield from _would_run(plan.work)
    if plan.work.skipped:
        yield ""
        yield from _titled("would be skipped", [f"{name}: {shown(why)}" for name, why in plan.work.skipped.items()], "")


def _would_run(work: Work) -> Sequence[str]:
    """The stages, each with its reason. If all run for the same reason, it is given once."""
    if not work.reasons and work.skipped:
        return ["nothing would run: every stage is skipped"]
    if work.reasons and not work.targets:
        return ["would run, because no stage has triggers", f"  {printable(', '.join(work.reasons))}"]
    reasons = [f"{name}: {shown(reason)}" for name, reason in work.reasons.items()]
    return list(_titled("would run", reasons, "nothing would run: no trigger matches a changed file"))


def _titled(title: str, lines: Sequence[str], otherwise: str) -> Iterator[str]:
    if not lines:
        yield otherwise
        return
    yield title
    yield from (f"  {printable(line)}" for line in lines)


def _stages(difference: Difference) -> Iterator[str]:
    yield from (f"+ {name}, added" for name in difference.added)
    yield from (f"~ {name}, changed in {', '.join(fields)}" for name, fields in difference.changed.items())
    yield from (f"  {name}, affected by {moved}" for name, moved in difference.affected.items())
    yield from (f"- {name}, removed" for name in difference.removed)
