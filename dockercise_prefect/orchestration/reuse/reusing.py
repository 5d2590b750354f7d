"""Decides which stages of a run need not run, and says why the others do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.orchestration.reuse.audit import why_withdrawn
from dockercise_prefect.orchestration.reuse.known import Inputs, Known, UnknownError, is_unread
from dockercise_prefect.orchestration.reuse.sources import Source, latest
from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.pipeline.seen import seen_volumes
from dockercise_prefect.results.cache.entry import Entry
from dockercise_prefect.results.record.file_names import output_file
from dockercise_prefect.reuse.difference import differences
from dockercise_prefect.reuse.file_list import ChangedFiles
from dockercise_prefect.reuse.ingredients import Ingredients
from dockercise_prefect.runtime.engine import ResolvedImage
from dockercise_prefect.runtime.stage.job import JobResult, OwnVolume, Stdout
from dockercise_prefect.status import StageStatus

NOT_KEPT = "what it left is too old, or is not kept any more"
"""Why a stage runs although nothing that it is made from has changed."""


class Reusing:
    """Finds stages that need not run (`scheduling.ports.Reuse`). Used by one thread, except where something else is said.

    Args:
        known: says what attempts are made from.
        sources: where stages are looked for, first to last.
        reusable: says whether a stage may be reused at all.
        note: called with what a stage is made from that is reused.
        afresh: the stages that run in any case.

    Attributes:
        made_from: what each stage is made from that may be reused, now or later.
        reused: what is known of each stage that is reused.
        audited: for each stage that could be reused, but is run and compared, what is known of it.
        whys: the reason why each stage is not reused that might have been, if that is not that something changed.
    """

    def __init__(
        self,
        known: Known,
        sources: Sequence[Source],
        reusable: Callable[[Stage], bool],
        note: Callable[[Stage, Ingredients], None],
        afresh: Collection[StageName] = (),
    ) -> None:
        self._known = known
        self._sources = sources
        self._reusable = reusable
        self._note = note
        self._afresh = afresh
        self._read: set[StageName] = set()
        self._unreadable: str | None = None
        self.made_from: dict[StageName, Ingredients] = {}
        self.reused: dict[StageName, Entry] = {}
        self.audited: dict[StageName, Entry] = {}
        self.whys: dict[StageName, str] = {}
        self._then: dict[StageName, Ingredients] = {}

    def is_open(self, stage: Stage, inputs: Inputs) -> bool:
        """See `Reuse`."""
        return self._considers(stage) and any(self._is_unread(name, inputs) for name in seen_volumes(stage))

    def volume_read(self, result: JobResult) -> None:
        """See `Reuse`."""
        self._read.add(result.stage)

    def find(self, stage: Stage, inputs: Inputs) -> JobResult | None:
        """See `Reuse`."""
        if not self._considers(stage):
            return None
        made_from = self._ingredients(stage, inputs)
        entry = self._found(stage, made_from)
        if entry is None:
            return None
        self.whys.pop(stage.name, None)
        self.reused[stage.name] = entry
        if made_from is not None:
            self._note(stage, made_from)
        although = None if made_from is None else next(differences(made_from, entry.ingredients), None)
        return _result(stage, entry, self._known.seen.image_of(stage), None if although is None else although.text)

    def why(self, stage: StageName, files: ChangedFiles) -> str | None:
        """The reason why a stage is not reused that might have been; None for a stage that just never passed before.

        May be called by any thread, after `find` for the stage.

        Args:
            stage: the stage.
            files: knows which files of the code and of volumes changed. It is asked only now, since that can take time.
        """
        if stage not in self._then:
            return self.whys.get(stage)
        found = next(differences(self.made_from[stage], self._then[stage], files), None)
        return NOT_KEPT if found is None else found.text

    def _ingredients(self, stage: Stage, inputs: Inputs) -> Ingredients | None:
        try:
            made_from = self._known.ingredients(stage, inputs)
        except UnknownError as error:
            self.whys[stage.name] = error.message
            return None
        except (DockerciseError, OSError) as error:
            self.whys[stage.name] = f"what it is made from cannot be read: {error}"
            return None
        self.made_from[stage.name] = made_from
        return made_from

    def _considers(self, stage: Stage) -> bool:
        return self._reusable(stage) and (stage.cache is not None or any(source.serves(stage) for source in self._sources))

    def _found(self, stage: Stage, made_from: Ingredients | None) -> Entry | None:
        """The entry of the stage. A place that cannot be read is asked only once: each answer can take a minute."""
        if stage.name in self._afresh:
            return None
        if self._unreadable is None:
            try:
                return self._looked_up(stage, made_from)
            except (DockerciseError, OSError) as error:
                self._unreadable = f"what earlier runs left cannot be read: {error}"
        self.whys[stage.name] = self._unreadable
        return None

    def _looked_up(self, stage: Stage, made_from: Ingredients | None) -> Entry | None:
        serving = [source for source in self._sources if source.serves(stage)]
        taken = next(filter(None, (source.taken(stage.name) for source in serving)), None)
        if taken is not None or made_from is None:
            return taken
        key = made_from.key
        for source in serving:
            if (found := source.find(stage, key)) is not None:
                if not source.audits(stage.name):
                    return found
                self.audited[stage.name] = found
                return None
        if (run := next(filter(None, (source.withdrawn(key) for source in serving)), None)) is not None:
            self.whys[stage.name] = why_withdrawn(run)
        elif (then := next(filter(None, (latest(source, stage.name) for source in serving)), None)) is not None:
            self._then[stage.name] = then.ingredients
        return None

    def _is_unread(self, name: StageName, inputs: Inputs) -> bool:
        return name in inputs and is_unread(inputs[name]) and name not in self._read


def _result(stage: Stage, entry: Entry, image: ResolvedImage | None, although: str | None) -> JobResult:
    """The result of a stage that is reused. `although` says what differs, if it is taken as it is."""
    now = datetime.now(UTC)
    volume = entry.volume_digest
    used = entry.ingredients.image
    return JobResult(
        stage=stage.name,
        attempt=1,
        status=StageStatus.CACHED,
        exit_code=0 if stage.starts_container else None,
        message=f"reused from {entry.run_id}" + (f", although {although}" if although else ""),
        started=now,
        finished=now,
        image=None if image is None or used is None else replace(image, digest=used.digest),
        stdout=Stdout(entry.output_size, entry.output_digest, output_file(stage.name), reused_from=entry.run_id),
        volume=None if volume is None else OwnVolume("", written=True, digest=volume, reused_from=entry.run_id),
    )
