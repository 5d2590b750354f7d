"""A rule about variables that are always empty."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dockercise_prefect.compiler.lint.subject import Subject
from dockercise_prefect.compiler.reading.names import is_environment, is_taken
from dockercise_prefect.compiler.spelling.misspelt import Misspelt
from dockercise_prefect.errors import Diagnostic
from dockercise_prefect.frontend.findings import warning
from dockercise_prefect.pipeline import Code, Pipeline, Stage, StageName, folded

if TYPE_CHECKING:
    from dockercise_prefect.compiler.shell.naming import Mentions, Use


def nothing_sets(subject: Subject) -> Iterator[Diagnostic]:
    """DK108: a script uses a variable that neither the script, nor `env`, nor a stage, nor a shell sets."""
    from dockercise_prefect.compiler.shell.mentions import mentions  # noqa: PLC0415  few pipelines need it here

    others = _OfStages(subject.pipeline)
    for stage in subject.pipeline:
        if stage.script is None or "$" not in stage.script:
            continue
        for name, use in _unset(mentions(stage.script, stage.working_dir)):
            if name in stage.env or is_environment(name) or (subject.infers(stage) and others.has(name, stage)):
                continue
            yield warning(
                Code.NOTHING_SETS,
                f"{stage.name}: nothing sets `{name}`",
                subject.script_place(stage, use.start),
                hint=f"declare it, `env: {name}`, or give a default, `${{{name}:-}}`; if the image sets it, "
                "write `# dockercise: ignore DK108` on its line",
            )


def _unset(found: Mentions) -> Iterator[tuple[str, Use]]:
    """Variables that a script expands, but neither sets nor treats as possibly missing."""
    if found.evaluates or not found.understood:
        return
    known = found.assigned | found.lent | found.tested
    for name, use in found.uses.items():
        if use.text.startswith("$") and name not in known:
            yield name, use


class _OfStages:
    """Variables of stages, and misspelt ones. The compiler itself reports what is wrong with those."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._stages: dict[str, set[StageName]] = defaultdict(set)
        for stage in pipeline:
            name = stage.written_name
            if not is_taken(folded(name)):
                self._stages[folded(name)].add(name)
        self._misspelt = Misspelt(self._stages)

    def has(self, name: str, stage: Stage) -> bool:
        """Whether the variable belongs to another stage, or counts as a misspelling of such a variable."""
        if name in self._stages:
            return self._stages[name] != {stage.written_name}
        return self._misspelt.meant_by(name) is not None
