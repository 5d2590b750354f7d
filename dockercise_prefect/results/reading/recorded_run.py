"""Reads the record of one run: of a run that has ended, of a running one, or of one that was aborted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from tarfile import TarError
from tempfile import TemporaryFile
from typing import Any, TypeVar
from urllib.parse import quote
from zipfile import BadZipFile, ZipFile

from dockercise_prefect.archives.tarball import CHUNK, members
from dockercise_prefect.errors import StorageError
from dockercise_prefect.pipeline import Pipeline, StageName, from_json
from dockercise_prefect.results.cache.contents import Contents
from dockercise_prefect.results.places.objects import NotStoredError, Objects, read
from dockercise_prefect.results.places.place import shown
from dockercise_prefect.results.reading.composition import BrokenArchiveError, base_of, composed
from dockercise_prefect.results.record.compression import decompressed
from dockercise_prefect.results.record.difference import Member
from dockercise_prefect.results.record.file_names import (
    INDEX,
    OUTPUTS,
    SUMMARY,
    entry_file,
    output_file,
    packed_log,
    plain_log,
    tests_file,
    volume_file,
)
from dockercise_prefect.results.record.run_facts import RunFacts
from dockercise_prefect.results.record.store import Kept
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.results.tests.stage_tests import StageTests

Parsed = TypeVar("Parsed")


def began(run_id: str) -> datetime:
    """When a run began, to the second, as in its id.

    Raises:
        ValueError: this is not the id of a run.
    """
    return datetime.strptime(run_id.partition("Z")[0], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


class BrokenRecordError(StorageError):
    """The record has content that a run does not write."""


@dataclass(frozen=True, slots=True)
class StageEntry:
    """A stage's own object, `<stage>.json`.

    Attributes:
        sensitive: whether its value counts as sensitive.
        left_out: the parts that were not stored, each with the reason.
        volume_digest: the digest of the content of its volume (docs/digests.md); None if the record does not have the volume,
            or was made before there were digests.
        output_digest: the same for what it printed on stdout.
    """

    summary: StageSummary
    sensitive: bool
    left_out: Mapping[str, str]
    volume_digest: str | None
    output_digest: str | None = None


@dataclass(frozen=True, slots=True)
class _Reused:
    """Where a reused stage is: the run that it ran in, and the digests of what it left."""

    earlier: RecordedRun
    output_digest: str | None
    volume_digest: str | None


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """The record of one run.

    Raises:
        BrokenRecordError: from every method that reads JSON: a run does not write such JSON. The message names the object.
        StorageError: the place cannot be read.
    """

    objects: Objects
    pipeline: str
    run_id: str

    @property
    def path(self) -> str:
        """The path of the record below the place of all results."""
        return f"{self.pipeline}/{self.run_id}"

    @property
    def url(self) -> str:
        """The absolute URL of the record's current place."""
        place = self.objects.url
        return f"{place}/{quote(self.path) if place.startswith('file:') else self.path}"

    @property
    def began(self) -> datetime:
        """When the run began, to the second, as in its id."""
        return began(self.run_id)

    def index(self) -> Pipeline:
        """The pipeline as it was run.

        Raises:
            BrokenRecordError: also if there is no index.
        """
        index = self._parsed(INDEX, from_json)
        if index is None:
            raise self.broken(INDEX, "it is missing: the run was interrupted before it began, or part of the record is lost")
        return index

    def members(self, pipeline: Pipeline) -> list[StageName]:
        """The members of groups that have an entry, in the order of their names (`each`).

        Args:
            pipeline: the pipeline as it was run.
        """
        if not pipeline.groups:
            return []
        entries = (name.removesuffix(".json") for name in self.objects.sizes(self.path) if name.endswith(").json"))
        return sorted(name for name in entries if name not in pipeline.by_name and pipeline.has(name))

    def facts(self) -> RunFacts | None:
        """How the run went, besides its pipeline; None in a record of an earlier version. Secret texts are masked."""
        return self._parsed(INDEX, _facts_from_json)

    def summary(self) -> RunSummary | None:
        """How the run ended; None if it is still running or was aborted."""
        return self._parsed(SUMMARY, RunSummary.from_json)

    def entry(self, stage: StageName) -> StageEntry | None:
        """The result of a stage; None if it has not been started yet."""
        return self._parsed_of_stage(stage, _entry_from_json)

    def kept(self, stage: StageName) -> Kept | None:
        """What is stored of a stage; None if it has not been started yet."""
        return self._parsed_of_stage(stage, Kept.from_json)

    def tests(self, stage: StageName) -> StageTests | None:
        """What the test reports of a stage say; None if there is no report."""
        return self._parsed(tests_file(stage), StageTests.from_json)

    def is_over(self) -> bool:
        """Whether the run has ended and nothing more will be written."""
        return self.has(SUMMARY)

    def log(self, stage: StageName, start: int = 0) -> Iterator[bytes]:
        """The output of a stage so far, from an offset on, from its plain or its compressed log.

        Args:
            stage: the stage of the log.
            start: how many bytes of the output are left out at the beginning.

        Raises:
            NotStoredError: there is no log.
            BrokenRecordError: the log is compressed, and is incomplete or damaged.
        """
        plain, packed = f"{self.path}/{plain_log(stage)}", packed_log(stage)
        # The compressed log first: a plain log beside it may be an incomplete copy from when it grew. And again at the end:
        # the compressed log may have replaced the plain one between the first two tries.
        for look in (
            self._packed(packed, start),
            self.objects.chunks(plain, start),
            self._packed(packed, start),
        ):
            with suppress(NotStoredError):
                yield from look
                return
        raise NotStoredError(f"there is no {shown(self.url)}/{plain_log(stage)}")

    def output(self, stage: StageName) -> Iterator[bytes]:
        """The bytes that a stage has printed on stdout so far, unchanged; for a stage that is reused, what it printed earlier.

        Raises:
            NotStoredError: the output is not stored, or the stage has not started.
            BrokenRecordError: an older version stored the output in a bundle, and the bundle is damaged.
        """
        try:
            yield from self.objects.chunks(f"{self.path}/{output_file(stage)}")
        except NotStoredError:
            reused = self._reused(stage)
            yield from self._bundled(stage) if reused is None else self._kept_output(stage, reused)

    def volume(self, stage: StageName) -> Iterator[Member]:
        """All members of a stage's volume, also those in the archives of other stages. Their paths begin with the stage's name.

        For a stage that is reused, this is what it left earlier.

        Raises:
            NotStoredError: the volume is not stored.
            BrokenRecordError: an archive of the volume is incomplete, damaged or missing.
        """
        try:
            yield from composed(stage, self._members)
        except NotStoredError:
            reused = self._reused(stage)
            if reused is None:
                raise
            yield from self._kept_volume(stage, reused)
        except BrokenArchiveError as error:
            raise self.broken(volume_file(error.stage), str(error)) from error

    def volume_base(self, stage: StageName) -> StageName | None:
        """The stage whose archive contains the files that both volumes have in common; None if there is no such stage.

        Raises:
            NotStoredError: the volume is not stored.
            BrokenRecordError: the archive is incomplete or damaged.
        """
        try:
            return base_of(stage, self._members(stage))[0]
        except BrokenArchiveError as error:
            raise self.broken(volume_file(stage), str(error)) from error

    def archive(self, stage: StageName) -> Iterator[bytes]:
        """The archive of a stage as a tar stream. If it has a base, it does not contain all of the volume (docs/adr/0026).

        Raises:
            NotStoredError: the stage has no archive.
            BrokenRecordError: the archive is incomplete or damaged.
        """
        return self._packed(volume_file(stage))

    def has(self, name: str) -> bool:
        """Whether an object with that name exists."""
        try:
            next(self.objects.chunks(f"{self.path}/{name}"), b"")
        except NotStoredError:
            return False
        return True

    def link(self, name: str) -> str:
        """The address of an object for people: a path, or a URL for a browser."""
        return shown(self.objects.link(f"{self.path}/{name}"))

    def broken(self, name: str, why: str) -> BrokenRecordError:
        """The error for an object with content that a run does not write."""
        return BrokenRecordError(f"{shown(self.url)}/{name} is broken: {why}", "the rest of the record can still be read")

    def _reused(self, stage: StageName) -> _Reused | None:
        """Where a stage is that is reused; None if it is not reused."""
        entry = self.entry(stage)
        if entry is None or entry.summary.reused_from is None:
            return None
        earlier = RecordedRun(self.objects, self.pipeline, entry.summary.reused_from)
        return _Reused(earlier, entry.output_digest, entry.volume_digest)

    def _kept_output(self, stage: StageName, reused: _Reused) -> Iterator[bytes]:
        if reused.output_digest is not None:
            with suppress(NotStoredError):
                yield from Contents(self.objects).output(reused.output_digest)
                return
        yield from reused.earlier.output(stage)

    def _kept_volume(self, stage: StageName, reused: _Reused) -> Iterator[Member]:
        if reused.volume_digest is None:
            raise NotStoredError(f"{stage} left nothing in its volume")
        with suppress(NotStoredError):
            yield from members(Contents(self.objects).volume(reused.volume_digest, stage))
            return
        yield from reused.earlier.volume(stage)

    def _packed(self, name: str, start: int = 0) -> Iterator[bytes]:
        """The decompressed content of an object, from an offset on."""
        left = start
        try:
            for chunk in decompressed(self.objects.chunks(f"{self.path}/{name}")):
                if left < len(chunk):
                    yield chunk[left:]
                left = max(0, left - len(chunk))
        except ValueError as error:
            raise self.broken(name, str(error)) from error

    def _bundled(self, stage: StageName) -> Iterator[bytes]:
        """The output of a stage in a record from before November 2026, which has it only in `out.zip`."""
        with TemporaryFile() as file:
            for chunk in self.objects.chunks(f"{self.path}/{OUTPUTS}"):
                file.write(chunk)
            try:
                with ZipFile(file) as bundle:
                    if stage not in bundle.namelist():
                        raise NotStoredError(f"there is no {shown(self.url)}/{output_file(stage)}")
                    with bundle.open(stage) as entry:
                        yield from iter(partial(entry.read, CHUNK), b"")
            except BadZipFile as error:
                raise self.broken(OUTPUTS, str(error)) from error

    def _members(self, stage: StageName) -> Iterator[Member]:
        with self._naming_archive(stage):
            for member, content in members(self.archive(stage)):
                yield member, self._content(stage, content)

    def _content(self, stage: StageName, content: Iterable[bytes]) -> Iterator[bytes]:
        with self._naming_archive(stage):
            yield from content

    @contextmanager
    def _naming_archive(self, stage: StageName) -> Iterator[None]:
        try:
            yield
        except TarError as error:
            raise self.broken(volume_file(stage), str(error)) from error

    def _parsed(self, name: str, parse: Callable[[Any], Parsed]) -> Parsed | None:
        try:
            content = read(self.objects, f"{self.path}/{name}")
        except NotStoredError:
            return None
        return self._understood(name, content, parse)

    def _parsed_of_stage(self, stage: StageName, parse: Callable[[Any], Parsed]) -> Parsed | None:
        """None also if there is only a name: the machine lost power before the content was on the disk (docs/adr/0013)."""
        name = entry_file(stage)
        with suppress(NotStoredError):
            content = read(self.objects, f"{self.path}/{name}")
            return self._understood(name, content, parse) if content.strip(b"\0") else None
        return None

    def _understood(self, name: str, content: bytes, parse: Callable[[Any], Parsed]) -> Parsed:
        try:
            data = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self.broken(name, f"not JSON ({error})") from error
        try:
            return parse(data)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self.broken(name, "not what this version of dockercise writes") from error


def _facts_from_json(data: Mapping[str, Any]) -> RunFacts | None:
    return RunFacts.from_json(data["run"]) if "run" in data else None


def _entry_from_json(data: Mapping[str, Any]) -> StageEntry:
    return StageEntry(
        StageSummary.from_json(data),
        bool(data.get("sensitive")),
        dict(data.get("left_out") or {}),
        data.get("volume_digest"),
        data.get("output_digest"),
    )
