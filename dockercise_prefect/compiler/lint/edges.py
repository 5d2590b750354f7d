"""Rules about edges: stages that no push runs, and `after` without effect."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dockercise_prefect.compiler.lint.subject import Subject
from dockercise_prefect.errors import Diagnostic, Related
from dockercise_prefect.frontend.findings import warning
from dockercise_prefect.pipeline import Code, Dependency, DependencyKind, ImageReference, Stage, StageName

_OUT = re.compile(r"(?<![\w.-])out(?![\w.-])")

_INTERPRETERS = re.compile(
    r"(?:[a-z]*sh|\.|source|python[\d.]*|node|deno|bun|perl|ruby|php|lua|Rscript|java|xargs|env|exec|eval|time|nice|sudo)\Z"
)
"""Commands that run the content of a file or their arguments."""


def runs_on_no_push(subject: Subject) -> Iterator[Diagnostic]:
    """DK101: other stages have `triggers`; this one has none, and no stage with `triggers` needs it.

    A clean-up stage is never found: it runs on the pushes that run the stages that it comes after.
    """
    pipeline = subject.pipeline
    targets = [stage.name for stage in pipeline if stage.triggers]
    if not targets:
        return
    run = pipeline.only(targets).by_name
    for stage in pipeline:
        if stage.name not in run and not stage.when.cleans_up:
            yield warning(
                Code.RUNS_ON_NO_PUSH,
                f"{stage.name} never runs on a push: it has no `triggers`, and no stage with `triggers` needs it",
                stage.place,
                hint=(
                    "add `triggers`, or ignore this finding if you run the stage by hand: `dockercise explain DK101` shows how"
                ),
            )


def after_is_implied(subject: Subject) -> Iterator[Diagnostic]:
    """DK103: `after: A`, but another edge leads to A, or a longer path of edges does and the script does not read `out/A`."""
    all_needs = _AllNeeds(subject)
    for stage in subject.pipeline:
        after = [edge for edge in stage.depends_on if edge.kind is DependencyKind.AFTER]
        for place in dict.fromkeys(edge.place for edge in after):
            edges = [edge for edge in after if edge.place == place]  # one, or one for each instance of a stage
            found = [_implied(subject, all_needs, stage, edge) for edge in edges]
            if found[0] is not None and None not in found:
                yield _needless(stage, edges, *found[0])


def _implied(subject: Subject, all_needs: _AllNeeds, stage: Stage, edge: Dependency) -> tuple[Dependency, str] | None:
    """The edge because of which an `after` has no effect, and why; None if it has one."""
    other = next((other for other in stage.depends_on if other.stage == edge.stage and other is not edge), None)
    if other is not None:
        return other, "this stage already uses it"
    longer = next((other for other in stage.depends_on if all_needs.lead(other.stage, edge.stage)), None)
    if longer is None or _may_read_output(subject, stage):
        return None
    return longer, f"this stage already comes after it, through `{longer.stage}`"


def _needless(stage: Stage, edges: Sequence[Dependency], other: Dependency, why: str) -> Diagnostic:
    first = edges[0]
    folder, _, key = first.path.partition("/")
    name = folder if len(edges) > 1 or not key else first.stage
    return warning(
        Code.AFTER_IS_IMPLIED,
        f"{stage.name}: `after: {name}` is not needed: {why}",
        first.place,
        hint=f"remove `{name}` from `after`",
        related=[Related(f"{stage.name} needs {other.stage} here", other.place)] if other.place else [],
    )


class _AllNeeds:
    """Which stages must have succeeded before which, at any distance.

    It is a set of bits for each, because a pipeline may have thousands. Nothing is known through a clean-up stage, which can
    succeed whatever came of the stages that it needs.
    """

    def __init__(self, subject: Subject) -> None:
        self._bit: dict[StageName, int] = {}
        self._below: dict[StageName, int] = {}
        for index, stage in enumerate(subject.pipeline):
            self._bit[stage.name] = 1 << index
            self._below[stage.name] = 0
            if not stage.when.cleans_up:
                for name in stage.needs:
                    self._below[stage.name] |= self._bit[name] | self._below[name]

    def lead(self, stage: StageName, earlier: StageName) -> bool:
        """Whether a stage cannot end well before the earlier one has succeeded."""
        return self._below[stage] & self._bit[earlier] != 0


def _may_read_output(subject: Subject, stage: Stage) -> bool:
    """Whether something in the stage may read below `/out`."""
    if not stage.starts_container:
        return False
    if stage.run is None:
        return not isinstance(stage.image, ImageReference)
    commands = subject.commands(stage)
    if stage.entrypoint is not None or commands is None or _OUT.search(stage.run):
        return True
    return any(
        bool(command.words) and (command.name is None or "/" in command.name or _INTERPRETERS.match(command.name) is not None)
        for command in commands
    )
