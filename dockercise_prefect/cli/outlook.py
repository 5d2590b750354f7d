"""What `plan` says of stages with `cache`: which of them a run would reuse, and why it would run the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dockercise_prefect.orchestration.reuse.expected_texts import expected_texts
from dockercise_prefect.orchestration.reuse.file_lists import RunFileLists
from dockercise_prefect.orchestration.reuse.foresight import Foreseen, Foresight, Surveyed
from dockercise_prefect.orchestration.reuse.sources import CacheSource
from dockercise_prefect.pipeline import Pipeline, StageName
from dockercise_prefect.pipeline.run_context import RunContext
from dockercise_prefect.results.cache.lists import Lists
from dockercise_prefect.results.opening import open_objects
from dockercise_prefect.reuse.file_list import ChangedFiles
from dockercise_prefect.settings import read_settings


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the user has given to the plan for a run.

    Attributes:
        flags: the variables of `--env`.
        file_variables: the variables of `--env-file`.
        results: the place of the results; None for the user's setting.
        parameters: the values of `--param`.
    """

    flags: Mapping[str, str]
    file_variables: Mapping[str, str]
    results: str | None
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What would become of one stage with `cache`.

    Attributes:
        reused_from: the run that it would be reused from; None if it would run, or if nobody knows yet.
        provided: what is assumed for this.
        after: the stages that have to run before anybody knows.
        because: why it would run; None if it would not, or if nobody knows yet.
    """

    reused_from: str | None = None
    provided: tuple[str, ...] = ()
    after: tuple[StageName, ...] = ()
    because: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        if self.reused_from is not None:
            return f"reused from {self.reused_from}" + (f", if {' and '.join(self.provided)}" if self.provided else "")
        if self.after:
            return f"decided when {' and '.join(self.after)} {'has' if len(self.after) == 1 else 'have'} run"
        return f"runs, because {self.because}"


def decisions(
    pipeline: Pipeline, skipped: Collection[StageName], root: Path, git: RunContext, given: Given
) -> Mapping[StageName, Decision]:
    """The decision of each stage with `cache`.

    Args:
        pipeline: the stages of the run.
        skipped: those that would be skipped.
        root: the folder of the code.
        git: what the run would know of git.
        given: what the user has given.

    Raises:
        DockerciseError: a variable cannot be passed on, or what earlier runs left cannot be read.
    """
    if all(stage.cache is None for stage in pipeline):
        return {}
    settings = read_settings(results=given.results)
    objects = open_objects(settings.results, settings)
    surveyed = Surveyed(pipeline, root)
    texts = expected_texts(pipeline, git, given.flags, given.file_variables)
    foresight = Foresight(surveyed, skipped, texts, CacheSource(objects, pipeline.name))
    files = RunFileLists(Lists(objects), lambda folder: surveyed.code_digests().listing(folder))
    return {name: _decision(foreseen, files) for name, foreseen in foresight.stages.items()}


def _decision(foreseen: Foreseen, files: ChangedFiles) -> Decision:
    if foreseen.entry is not None:
        return Decision(reused_from=foreseen.entry.run_id, provided=foreseen.provided)
    if foreseen.waits:
        return Decision(after=foreseen.waits)
    return Decision(because=foreseen.why(files))
