"""Says beforehand which stages a run would reuse, as far as that can be known without an engine and without Prefect."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from dockercise_prefect.archives.content_digest import digest_text
from dockercise_prefect.errors import DockerciseError, EngineError
from dockercise_prefect.orchestration.reuse.audit import why_withdrawn
from dockercise_prefect.orchestration.reuse.known import Known, UnknownError
from dockercise_prefect.orchestration.reuse.reusing import NOT_KEPT
from dockercise_prefect.orchestration.reuse.sources import Source, latest
from dockercise_prefect.pipeline import ImageReference, Pipeline, Stage, StageImage, StageName
from dockercise_prefect.pipeline.reusable import not_reusable
from dockercise_prefect.results.cache.entry import Entry
from dockercise_prefect.reuse.difference import differences
from dockercise_prefect.reuse.file_list import ChangedFiles
from dockercise_prefect.reuse.ingredients import Ingredients
from dockercise_prefect.reuse.text_digests import KEY_BYTES
from dockercise_prefect.reuse.unknown import UNKNOWN, UNKNOWN_TEXT, assumptions, fitted, unknown_stages
from dockercise_prefect.runtime.dockerfile.reference import parse_reference
from dockercise_prefect.runtime.engine import ResolvedImage
from dockercise_prefect.runtime.files.code_digests import CodeDigests
from dockercise_prefect.runtime.files.code_snapshot import code_entries
from dockercise_prefect.runtime.files.output import Printed
from dockercise_prefect.runtime.stage.images import words_for_image
from dockercise_prefect.runtime.stage.job import JobResult, OwnVolume, Stdout
from dockercise_prefect.runtime.stage.ports import Texts
from dockercise_prefect.status import StageStatus


@dataclass(frozen=True, kw_only=True)
class Foreseen:
    """What is known beforehand of a stage that could be reused.

    Attributes:
        entry: what it would be reused from; None if it would run, or if that is not known yet.
        provided: what is assumed for this, in words that follow `if`.
        waits: the stages that have to run before anybody knows.
        trouble: why it would run whatever it is made from, in words.
        made_from: what it would be made from. What is not known is taken from `then`.
        then: the earlier attempt that it is compared with; None if it never passed.
    """

    entry: Entry | None = None
    provided: tuple[str, ...] = ()
    waits: tuple[StageName, ...] = ()
    trouble: str | None = None
    made_from: Ingredients | None = None
    then: Entry | None = None

    def why(self, files: ChangedFiles) -> str:
        """Why it would run, in words. Only for a stage that would.

        Args:
            files: knows which files of the code and of volumes changed.
        """
        if self.trouble is not None:
            return self.trouble
        if self.made_from is None or self.then is None:
            return "it has not passed before"
        found = next(differences(self.made_from, self.then.ingredients, files), None)
        return NOT_KEPT if found is None else found.text


@dataclass(frozen=True)
class Surveyed:
    """The images and the code before a run (`known.Seen`).

    Attributes:
        pipeline: the stages of the run.
        root: the folder of the code.
        images: the images that are known, by the stages that name them.
    """

    pipeline: Pipeline
    root: Path
    images: Mapping[StageName, ResolvedImage] = field(default_factory=dict)

    def image_of(self, stage: Stage) -> ResolvedImage | None:
        """See `Seen`."""
        if stage.name in self.images:
            return self.images[stage.name]
        match stage.image:
            case ImageReference(ref):
                return ResolvedImage(ref, UNKNOWN, UNKNOWN, "", ())
            case StageImage(maker):
                return ResolvedImage(words_for_image(self.pipeline.by_name[maker]), UNKNOWN, UNKNOWN, "", ())
            case _:
                return None

    def code_digests(self) -> CodeDigests:
        """See `Seen`."""
        return self._code

    @cached_property
    def _code(self) -> CodeDigests:
        return CodeDigests(code_entries(self.root, lambda _: None))


class Foresight:
    """Says which stages a run would reuse. Used by one thread.

    Args:
        surveyed: the stages of the run, the images and the code.
        skipped: the stages that are skipped.
        texts: of variables; `UNKNOWN_TEXT` for those that are not known.
        source: where stages are looked for.

    Attributes:
        stages: the stages that could be reused, in their order.
        now: what each of them would be made from, as far as that is known.
    """

    def __init__(self, surveyed: Surveyed, skipped: Collection[StageName], texts: Texts, source: Source) -> None:
        pipeline = surveyed.pipeline
        self._source = source
        self._texts = texts
        self._not_reusable = not_reusable(pipeline)
        self._known = Known(
            pipeline=pipeline,
            seen=surveyed,
            texts=texts,
            secret={},
            opened=_nobody_reads,
            find_key=lambda: bytes(KEY_BYTES),  # any key: `is_unknown` knows that its digests say nothing
        )
        self._left: dict[StageName, JobResult] = {}
        self._provided: dict[StageName, tuple[str, ...]] = {}
        self.stages: dict[StageName, Foreseen] = {}
        self.now: dict[StageName, Ingredients] = {}
        for stage in pipeline:
            if stage.name not in skipped:
                self._look_at(stage)

    def compared(self, stage: Stage, then: Ingredients) -> Foreseen:
        """What is known of a stage whose `now` is known, if it is compared with what it was made from at an earlier time."""
        now = self.now[stage.name]
        made_from = fitted(now, then, _same_image)
        return Foreseen(made_from=made_from, waits=tuple(unknown_stages(now)), provided=self._assumed(stage, now, made_from))

    def why_it_runs(self, stage: StageName, files: ChangedFiles) -> str:
        """Why a stage would run that is not known to be reused, in words.

        Args:
            stage: the stage.
            files: knows which files of the code and of volumes changed.
        """
        if stage in self._not_reusable:
            return f"it {self._not_reusable[stage]}"
        if stage not in self.stages:
            return "nothing of it is kept"
        foreseen = self.stages[stage]
        if foreseen.waits:
            return f"it depends on what comes of {' and '.join(foreseen.waits)}"
        return foreseen.why(files)

    def _look_at(self, stage: Stage) -> None:
        """Foresee one stage, and note what it leaves to others, if that is known."""
        left = _left(stage.name, UNKNOWN, UNKNOWN)
        if stage.joins_only:
            left = self._joined(stage)
        elif self._source.serves(stage) and stage.name not in self._not_reusable:
            # Each member of a group is reused for itself, and members are known only when the run goes on.
            foreseen = self._foreseen(stage) if stage.each is None else Foreseen(waits=(stage.each.stage,))
            self.stages[stage.name] = foreseen
            entry = foreseen.entry
            if entry is not None:
                left = _left(stage.name, entry.output_digest, entry.volume_digest)
                self._provided[stage.name] = foreseen.provided
        self._left[stage.name] = left

    def _joined(self, stage: Stage) -> JobResult:
        """What a stage without a container leaves: its variable from outside, or nothing."""
        text = next(iter(self._texts.of(stage.name).values()), "")
        if text == UNKNOWN_TEXT:
            return _left(stage.name, UNKNOWN, None)
        return _left(stage.name, digest_text(sha256(text.encode("utf-8", "surrogateescape")).digest()), None)

    def _foreseen(self, stage: Stage) -> Foreseen:
        inputs = {name: self._left[name] for name in stage.needs if name in self._left}
        try:
            now = self._known.ingredients(stage, inputs)
        except UnknownError as error:
            return Foreseen(trouble=error.message, then=latest(self._source, stage.name))
        except (DockerciseError, OSError) as error:
            return Foreseen(trouble=f"what it is made from cannot be read: {error}", then=latest(self._source, stage.name))
        self.now[stage.name] = now
        waits = tuple(unknown_stages(now))
        for then in self._source.every(stage.name):
            made_from = fitted(now, then.ingredients, _same_image)
            key = made_from.key
            if key != then.ingredients.key:
                continue
            if (run := self._source.withdrawn(key)) is not None:
                return Foreseen(trouble=why_withdrawn(run), made_from=made_from, then=then)
            entry = self._source.find(stage, key)
            if entry is None:
                continue
            if waits:
                return Foreseen(waits=waits, made_from=made_from, then=entry)
            return Foreseen(entry=entry, provided=self._assumed(stage, now, made_from), made_from=made_from, then=entry)
        last = latest(self._source, stage.name)
        return Foreseen(made_from=now if last is None else fitted(now, last.ingredients, _same_image), then=last)

    def _assumed(self, stage: Stage, now: Ingredients, made_from: Ingredients) -> tuple[str, ...]:
        """What is assumed for the stage and for those that it needs, each once."""
        before = (assumed for name in stage.needs for assumed in self._provided.get(name, ()))
        return tuple(dict.fromkeys([*assumptions(now, made_from), *before]))


def _left(stage: StageName, output: str, volume: str | None) -> JobResult:
    now = datetime.now(UTC)
    return JobResult(
        stage=stage,
        attempt=1,
        status=StageStatus.CACHED,
        exit_code=0,
        message=None,
        started=now,
        finished=now,
        stdout=Stdout(0, output),
        volume=None if volume is None else OwnVolume("", written=True, digest=volume),
    )


def _same_image(one: str, other: str) -> bool:
    """`busybox` and `docker.io/library/busybox:latest` are the same image."""
    try:
        here, there = parse_reference(one), parse_reference(other)
    except EngineError:  # the name of a stage whose image is used
        return one == other
    return (here.repository, here.version) == (there.repository, there.version)


def _nobody_reads(stdout: Stdout) -> AbstractContextManager[Printed]:
    raise EngineError(f"nothing was printed yet that has {stdout.size} bytes")
