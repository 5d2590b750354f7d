"""Shows a plan: as text, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dockercise_prefect.cli.outlook import Decision
from dockercise_prefect.compiler.plan import Difference, Work
from dockercise_prefect.frontend.discover import shown
from dockercise_prefect.frontend.findings import printable
from dockercise_prefect.git.ask import Revision
from dockercise_prefect.pipeline import StageName

LISTED = 20
"""How many changed files the text lists. JSON has all of them."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is different since a revision.

    Attributes:
        since: the revision that the working tree was compared with.
        paths: the changed files, relative to the root.
        work: what a push of the change would run.
        note: why the earlier pipeline is unknown, and which submodules were left out, or None.
    """

    since: Revision
    difference: Difference
    paths: Sequence[str]
    work: Work
    note: str | None


@dataclass(frozen=True, slots=True)
class Planned:
    """Everything that a plan contains.

    Attributes:
        change: what is different; None if no revision was given.
        stages: the stages that would run or be reused.
        skipped: the stages that would be skipped, each with the reason.
        decisions: what would become of the stages with `cache`.
        note: why nothing is known of stages that have `cache`; None if everything is known.
        lines: for each stage with `each`, the stage that prints the lines of its members.
    """

    change: Change | None
    stages: Sequence[StageName]
    skipped: Mapping[StageName, str]
    decisions: Mapping[StageName, Decision]
    note: str | None
    lines: Mapping[StageName, StageName] = field(default_factory=dict)

    def named(self, stage: StageName) -> str:
        """A stage as the text names it. The members of a group are not known yet."""
        return f"{stage}(one for each line of {self.lines[stage]})" if stage in self.lines else stage


def as_json(plan: Planned) -> str:
    """The plan as one JSON object. Its format is stable."""
    change = plan.change
    difference = Difference((), {}, {}, ()) if change is None else change.difference
    targets = {} if change is None else change.work.targets
    reasons = dict.fromkeys(plan.stages, "every stage runs") if change is None else change.work.reasons
    data = {
        "since": None if change is None else {"revision": change.since.name, "commit": change.since.commit},
        "note": ". ".join(_notes(plan)) or None,
        "added": list(difference.added),
        "changed": {name: list(fields) for name, fields in difference.changed.items()},
        "affected": dict(difference.affected),
        "removed": list(difference.removed),
        "changed_files": [] if change is None else [shown(path) for path in change.paths],
        "targets": {
            name: [{"glob": match.glob, "path": shown(match.path)} for match in matches] for name, matches in targets.items()
        },
        "would_run": {name: shown(reason) for name, reason in reasons.items()},
        "would_skip": {name: shown(reason) for name, reason in plan.skipped.items()},
        "reuse": {name: decision.to_json() for name, decision in plan.decisions.items()},
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def as_text(plan: Planned) -> str:
    """The plan as text: what changed, what would run, and what would be reused."""
    return "\n\n".join("\n".join(section) for section in _sections(plan)) + "\n"


def _sections(plan: Planned) -> Iterator[Sequence[str]]:
    change = plan.change
    notes = [f"note: {printable(note)}" for note in _notes(plan)]
    if change is None:
        if notes:
            yield notes
    else:
        yield [f"since {printable(change.since.name)} ({change.since.commit[:12]})", *notes]
        yield _titled("stages", list(_stages(change.difference)), "no stage changed")
        files = [shown(path) for path in change.paths[:LISTED]]
        more = [f"… and {len(change.paths) - LISTED} more"] if len(change.paths) > LISTED else []
        yield _titled("changed files", files + more, "no file changed")
        yield _would_run(plan, change.work)
    if plan.skipped:
        yield _titled("would be skipped", [f"{name}: {shown(why)}" for name, why in plan.skipped.items()], "")
    decided = [f"{plan.named(name)}: {decision}" for name, decision in plan.decisions.items()]
    if decided or (change is None and plan.note is None):
        yield _titled("stages with `cache`", decided, "no stage has `cache`, so every stage runs that is not skipped")


def _notes(plan: Planned) -> list[str]:
    return [note for note in (None if plan.change is None else plan.change.note, plan.note) if note]


def _would_run(plan: Planned, work: Work) -> Sequence[str]:
    """The stages, each with its reason. If all run for the same reason, it is given once."""
    if not work.reasons and work.skipped:
        return ["nothing would run: every stage is skipped"]
    if work.reasons and not work.targets:
        return ["would run, because no stage has triggers", f"  {printable(', '.join(map(plan.named, work.reasons)))}"]
    reasons = [f"{plan.named(name)}: {shown(reason)}" for name, reason in work.reasons.items()]
    return _titled("would run", reasons, "nothing would run: no trigger matches a changed file")


def _titled(title: str, lines: Sequence[str], otherwise: str) -> Sequence[str]:
    return [title, *(f"  {printable(line)}" for line in lines)] if lines else [otherwise]


def _stages(difference: Difference) -> Iterator[str]:
    yield from (f"+ {name}, added" for name in difference.added)
    yield from (f"~ {name}, changed in {', '.join(fields)}" for name, fields in difference.changed.items())
    yield from (f"  {name}, affected by {moved}" for name, moved in difference.affected.items())
    yield from (f"- {name}, removed" for name in difference.removed)
