"""What is different between a stage of a recorded run and the same stage now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dockercise_prefect.errors import UsageError
from dockercise_prefect.orchestration.reuse.foresight import Foresight
from dockercise_prefect.orchestration.reuse.sources import Source
from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.results.cache.entry import Entry
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.reuse.difference import Difference, differences
from dockercise_prefect.reuse.file_list import ChangedFiles
from dockercise_prefect.reuse.ingredients import Ingredients


@dataclass(frozen=True, kw_only=True)
class Since:
    """What is different.

    Attributes:
        differences: everything that is known to differ.
        waits: the stages that have to run before more is known, each with the reason why it would run.
        provided: what is assumed to be the same, in words.
        obstacle: why the stage would run although nothing differs, in words; None if it would be taken from the run.
    """

    differences: Sequence[Difference]
    waits: Mapping[StageName, str]
    provided: Sequence[str]
    obstacle: str | None


class Chained:
    """Several places where stages are looked for, one after the other (`Source`).

    Args:
        sources: the places, first to last.
        asked: the stage that is looked at in any case.
    """

    def __init__(self, sources: Sequence[Source], asked: StageName) -> None:
        self._sources = sources
        self._asked = asked

    def serves(self, stage: Stage) -> bool:
        """See `Source`."""
        return stage.name == self._asked or any(self._serving(stage))

    def find(self, stage: Stage, key: str) -> Entry | None:
        """See `Source`."""
        return next(filter(None, (source.find(stage, key) for source in self._serving(stage))), None)

    def audits(self, stage: StageName) -> bool:
        """See `Source`."""
        return any(source.audits(stage) for source in self._sources)

    def withdrawn(self, key: str) -> str | None:
        """See `Source`."""
        return next(filter(None, (source.withdrawn(key) for source in self._sources)), None)

    def taken(self, stage: StageName) -> Entry | None:
        """See `Source`."""
        return next(filter(None, (source.taken(stage) for source in self._sources)), None)

    def every(self, stage: StageName) -> Sequence[Entry]:
        """See `Source`."""
        return [entry for source in self._sources for entry in source.every(stage)]

    def _serving(self, stage: Stage) -> Iterator[Source]:
        return (source for source in self._sources if source.serves(stage))


def made_from_in(run: RecordedRun, stage: StageName) -> Ingredients:
    """What a stage of a recorded run was made from.

    Raises:
        UsageError: the record does not say it.
        StorageError: the record cannot be read.
    """
    kept = run.kept(stage)
    if kept is None:
        raise UsageError(
            f"{run.run_id} has no stage `{stage}` that was started", f"`dockercise show {run.run_id}` lists its stages"
        )
    if kept.made_from is None:
        hint = "it is known of stages that passed, unless they are sensitive or see something that is not stored"
        raise UsageError(f"{run.run_id} does not say what `{stage}` was made from", hint)
    return kept.made_from


def since(foresight: Foresight, stage: Stage, then: Ingredients, obstacle: str | None, files: ChangedFiles) -> Since:
    """Compare a stage with what it was made from in a recorded run.

    Args:
        foresight: has looked at the stage and at those that it needs.
        stage: the stage.
        then: what it was made from in the run.
        obstacle: why nothing can be taken from the run, in words; None if the stage passed there.
        files: knows which files of the code and of volumes changed.

    Raises:
        UsageError: it cannot be known what the stage would be made from.
    """
    if stage.name not in foresight.now:
        foreseen = foresight.stages.get(stage.name)
        why = None if foreseen is None else foreseen.trouble
        raise UsageError(f"`{stage.name}` cannot be compared: {why or foresight.why_it_runs(stage.name, files)}")
    known = foresight.compared(stage, then)
    return Since(
        differences=[] if known.made_from is None else list(differences(known.made_from, then, files)),
        waits={name: foresight.why_it_runs(name, files) for name in known.waits},
        provided=known.provided,
        obstacle=obstacle,
    )
