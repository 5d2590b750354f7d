"""One run's record, read: a run that has ended, one that goes on, or what a killed process left of one."""

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
from dockercise_prefect.results.places.objects import NotStoredError, Objects, read
from dockercise_prefect.results.places.place import shown
from dockercise_prefect.results.reading.composition import BrokenArchiveError, base_of, composed
from dockercise_prefect.results.record.compression import decompressed
from dockercise_prefect.results.record.difference import Member
from dockercise_prefect.results.record.local_store import INDEX, OUTPUTS, SUMMARY
from dockercise_prefect.results.record.log_file import packed_log, plain_log
from dockercise_prefect.results.record.output_file import output_file
from dockercise_prefect.results.summary import RunSummary, StageSummary

Parsed = TypeVar("Parsed")


class BrokenRecordError(StorageError):
    """What lies there is not what a run writes."""


@dataclass(frozen=True, slots=True)
class StageEntry:
    """A stage's own object, `<stage>.json`.

    Attributes:
        sensitive: whether its value counts as sensitive.
        left_out: parts that were not kept, each with the reason.
    """

    summary: StageSummary
    sensitive: bool
    left_out: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """Where one run's record lies.

    Raises:
        BrokenRecordError: from every method that reads JSON: it is not what a run writes; names the object.
        StorageError: the place cannot be read.
    """

    objects: Objects
    pipeline: str
    run_id: str

    @property
    def path(self) -> str:
        """Where it is below the place of all results."""
        return f"{self.pipeline}/{self.run_id}"

    @property
    def url(self) -> str:
        """The absolute URL of the record, where it lies now."""
        place = self.objects.url
        return f"{place}/{quote(self.path) if place.startswith('file:') else self.path}"

    @property
    def began(self) -> datetime:
        """When the run began, to the second: its id says so."""
        return datetime.strptime(self.run_id.partition("Z")[0], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)

    def index(self) -> Pipeline:
        """The pipeline as it was run.

        Raises:
            BrokenRecordError: also where there is no index.
        """
        index = self._parsed(INDEX, from_json)
        if index is None:
            raise self.broken(INDEX, "it is missing: the run was interrupted before it began, or part of the record is lost")
        return index

    def summary(self) -> RunSummary | None:
        """How the run ended; None when it goes on, or was broken off."""
        return self._parsed(SUMMARY, RunSummary.from_json)

    def entry(self, stage: StageName) -> StageEntry | None:
        """What became of a stage; None when it has not been started yet."""
        return self._parsed(f"{stage}.json", _entry_from_json)

    def is_over(self) -> bool:
        """Whether the run has ended and nothing more will be written."""
        return self.has(SUMMARY)

    def log(self, stage: StageName, start: int = 0) -> Iterator[bytes]:
        """What a stage has printed so far, from an offset on, whether its log is compressed or not.

        Args:
            stage: whose log.
            start: bytes of what it printed that are left out.

        Raises:
            NotStoredError: there is no log.
            BrokenRecordError: it is compressed, and cut or damaged.
        """
        plain, packed = f"{self.path}/{plain_log(stage)}", packed_log(stage)
        # The compressed one first: a plain one beside it may have been sent while it grew. And again in the end: between the
        # first two looks it may have taken the place of the plain one.
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
        """What a stage has printed on stdout so far, byte for byte.

        Raises:
            NotStoredError: it is not kept, or the stage has not started.
            BrokenRecordError: the record of an older version holds it in a bundle that is damaged.
        """
        try:
            yield from self.objects.chunks(f"{self.path}/{output_file(stage)}")
        except NotStoredError:
            yield from self._bundled(stage)

    def volume(self, stage: StageName) -> Iterator[Member]:
        """The members of a stage's volume, with what is stored with other stages; their paths begin with the stage's name.

        Raises:
            NotStoredError: it is not kept.
            BrokenRecordError: an archive that it needs is cut, damaged, or not there.
        """
        try:
            yield from composed(stage, self._members)
        except BrokenArchiveError as error:
            raise self.broken(f"{error.stage}.tar.zst", str(error)) from error

    def volume_base(self, stage: StageName) -> StageName | None:
        """The stage whose archive holds the files that its volume and this stage's have in common; None where there is none.

        Raises:
            NotStoredError: the volume is not kept.
            BrokenRecordError: the archive is cut, or damaged.
        """
        try:
            return base_of(stage, self._members(stage))[0]
        except BrokenArchiveError as error:
            raise self.broken(f"{stage}.tar.zst", str(error)) from error

    def archive(self, stage: StageName) -> Iterator[bytes]:
        """A stage's archive as a tar stream; where it has a base, not all of the volume is in it (docs/adr/0026).

        Raises:
            NotStoredError: there is none.
            BrokenRecordError: it is cut, or damaged.
        """
        return self._packed(f"{stage}.tar.zst")

    def has(self, name: str) -> bool:
        """Whether there is an object of that name."""
        try:
            next(self.objects.chunks(f"{self.path}/{name}"), b"")
        except NotStoredError:
            return False
        return True

    def link(self, name: str) -> str:
        """An address of an object for people: a path, or what a browser opens."""
        return shown(self.objects.link(f"{self.path}/{name}"))

    def broken(self, name: str, why: str) -> BrokenRecordError:
        """The error that says that an object is not what a run writes."""
        return BrokenRecordError(f"{shown(self.url)}/{name} is broken: {why}", "the rest of the record can still be read")

    def _packed(self, name: str, start: int = 0) -> Iterator[bytes]:
        """What is compressed in an object, from an offset on."""
        left = start
        try:
            for chunk in decompressed(self.objects.chunks(f"{self.path}/{name}")):
                if left < len(chunk):
                    yield chunk[left:]
                left = max(0, left - len(chunk))
        except ValueError as error:
            raise self.broken(name, str(error)) from error

    def _bundled(self, stage: StageName) -> Iterator[bytes]:
        """What a stage printed, of a record that has it in `out.zip` alone, as records had before November 2026."""
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
            raise self.broken(f"{stage}.tar.zst", str(error)) from error

    def _parsed(self, name: str, parse: Callable[[Any], Parsed]) -> Parsed | None:
        try:
            content = read(self.objects, f"{self.path}/{name}")
        except NotStoredError:
            return None
        try:
            data = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self.broken(name, f"not JSON ({error})") from error
        try:
            return parse(data)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self.broken(name, "not what this version of dockercise writes") from error


def _entry_from_json(data: Mapping[str, Any]) -> StageEntry:
    return StageEntry(StageSummary.from_json(data), bool(data.get("sensitive")), dict(data.get("left_out") or {}))
