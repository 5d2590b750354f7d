"""What runs leave for later runs, without running anything."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from dockercise_prefect.archives.content_digest import content_digested, digest_text
from dockercise_prefect.archives.tarball import File, Folder, tar_stream
from dockercise_prefect.orchestration.reuse.expected_texts import expected_texts
from dockercise_prefect.orchestration.reuse.file_lists import RunFileLists
from dockercise_prefect.orchestration.reuse.foresight import Surveyed
from dockercise_prefect.orchestration.reuse.known import Known
from dockercise_prefect.pipeline import ImageReference, Pipeline, Stage, StageName, to_json
from dockercise_prefect.pipeline.run_context import RunContext
from dockercise_prefect.results.cache.contents import Contents
from dockercise_prefect.results.cache.entries import Entries
from dockercise_prefect.results.cache.entry import Entry
from dockercise_prefect.results.cache.lists import Lists
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.results.record.store import Kept
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.reuse.ingredients import Ingredients
from dockercise_prefect.runtime.engine import ResolvedImage
from dockercise_prefect.runtime.files.output import Printed
from dockercise_prefect.runtime.stage.job import JobResult, OwnVolume, Stdout
from dockercise_prefect.status import RunStatus, StageStatus

RUN_ID = "20261130T091022Z-4212"


@dataclass(frozen=True)
class KeptRun:
    """A run in which every stage passed.

    Attributes:
        pipeline: its stages.
        root: the folder of its code.
        results: the place of its results.
        run_id: its id.
        moved: the images that have another digest than in other runs.
        printed: what stages printed that print something else than their name.
        variables: from outside.
        failed: the stages that failed, in the record.
        silent: the stages of which the record does not say what they were made from.
    """

    pipeline: Pipeline
    root: Path
    results: Path
    run_id: str = RUN_ID
    moved: Collection[str] = ()
    printed: Mapping[StageName, str] | None = None
    variables: Mapping[str, str] | None = None
    failed: Collection[StageName] = ()
    silent: Collection[StageName] = ()

    def passes(self) -> dict[StageName, Ingredients]:
        """Keep what the stages with `cache` left, write the record, and return what each stage was made from."""
        objects = FolderObjects(self.results)
        surveyed = Surveyed(self.pipeline, self.root, images(self.pipeline, self.moved))
        texts = expected_texts(self.pipeline, RunContext(), self.variables or {}, {})
        known = Known(pipeline=self.pipeline, seen=surveyed, texts=texts, secret={}, opened=_unread, find_key=lambda: b"k" * 32)
        lists = RunFileLists(Lists(objects), surveyed.code_digests().listing if self.root.is_dir() else lambda _: b"")
        left: dict[StageName, JobResult] = {}
        made: dict[StageName, Ingredients] = {}
        entries: list[Entry] = []
        every: list[Entry] = []
        for stage in self.pipeline:
            made[stage.name] = known.ingredients(stage, {name: left[name] for name in stage.needs})
            output = "" if stage.joins_only else (self.printed or {}).get(stage.name, stage.name)
            entry = self._kept(objects, stage, output, made[stage.name], lists)
            left[stage.name] = result_of(entry)
            every.append(entry)
            if stage.cache is not None:
                lists.keep(made[stage.name])
                entries.append(entry)
        if entries:
            Entries(objects, self.pipeline.name).add(self.run_id, entries)
        self._record(every)
        return made

    def _record(self, entries: Iterable[Entry]) -> None:
        store = LocalStore(self.results, self.pipeline.name, self.run_id)
        store.start(to_json(self.pipeline))
        summaries: dict[StageName, StageSummary] = {}
        for entry in entries:
            failed = entry.stage in self.failed
            status = StageStatus.FAILED if failed else StageStatus.PASSED
            summary = StageSummary(status, int(failed), entry.finished, entry.finished)
            kept = Kept(
                output_digest=entry.output_digest,
                output_size=entry.output_size,
                volume_digest=entry.volume_digest,
                made_from=None if entry.stage in self.silent else entry.ingredients,
            )
            store.stage_ended(entry.stage, summary, kept)
            summaries[entry.stage] = summary
        store.settle()
        store.finish(RunSummary(self.run_id, self.pipeline.name, RunStatus.PASSED, stages=summaries))

    def _kept(self, objects: FolderObjects, stage: Stage, output: str, made: Ingredients, lists: RunFileLists) -> Entry:
        digest, volume = digest_text(sha256(output.encode()).digest()), None
        if stage.cache is not None:
            Contents(objects).keep_output(digest, [output.encode()])
        if not stage.joins_only:
            found: list[str] = []
            for _ in content_digested(_volume(stage.name, output), stage.name, found.append, lists.begin(stage.name)):
                pass
            (volume,) = found
            if stage.cache is not None:
                Contents(objects).keep_volume(volume, stage.name, _volume(stage.name, output))
        finished = datetime.strptime(self.run_id.partition("Z")[0], "%Y%m%dT%H%M%S").replace(tzinfo=UTC).isoformat()
        return Entry(
            stage=stage.name,
            ingredients=made,
            run_id=self.run_id,
            finished=finished,
            seconds=1.0,
            output_digest=digest,
            output_size=len(output.encode()),
            volume_digest=volume,
        )


def images(pipeline: Pipeline, moved: Collection[str] = ()) -> dict[StageName, ResolvedImage]:
    """The images of stages that name one, as an engine knows them."""
    return {
        stage.name: ResolvedImage(
            stage.image.ref, "id", f"sha256:{stage.image.ref}{' moved' * (stage.image.ref in moved)}", "", (), "linux/amd64"
        )
        for stage in pipeline
        if isinstance(stage.image, ImageReference)
    }


def result_of(entry: Entry) -> JobResult:
    """What the stage left, for the stages after it."""
    now = datetime.now(UTC)
    return JobResult(
        stage=entry.stage,
        attempt=1,
        status=StageStatus.PASSED,
        exit_code=0,
        message=None,
        started=now,
        finished=now,
        stdout=Stdout(entry.output_size, entry.output_digest),
        volume=None if entry.volume_digest is None else OwnVolume("v", written=True, digest=entry.volume_digest),
    )


def _volume(stage: StageName, text: str) -> Iterable[bytes]:
    file = File(path=f"{stage}/file", size=len(text.encode()), content=lambda: [text.encode()])
    return tar_stream([Folder(path=stage), file])


def _unread(stdout: Stdout) -> AbstractContextManager[Printed]:
    raise AssertionError(stdout)
