"""The record of a run as a local folder (DESIGN section 3).

`<results>/<pipeline>/<run-id>/` holds `index.json`, `<stage>.json`, `<stage>.log` or `<stage>.log.zst`, `<stage>.out`,
`<stage>.tar.zst`,
`<stage>.tests.json` and, in the end, `out.zip`, `report.html` and `summary.json`.
"""

from __future__ import annotations

import shutil
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from zstandard import ZstdCompressor

from dockercise_prefect.collector import collector_paused
from dockercise_prefect.errors import StorageError, UsageError
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.places.files import (
    FILE_MODE,
    FOLDER_MODE,
    json_bytes,
    make_folder,
    storing,
    whole_file,
    write_json,
    write_unsynced,
    write_whole,
)
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.places.objects import Objects
from dockercise_prefect.results.record.compression import LEVEL
from dockercise_prefect.results.record.difference import archived
from dockercise_prefect.results.record.file_names import (
    INDEX,
    OUTPUTS,
    REPORT,
    SUMMARY,
    entry_file,
    output_file,
    plain_log,
    tests_file,
    volume_file,
)
from dockercise_prefect.results.record.journal import Journal
from dockercise_prefect.results.record.log_file import LogFile, SilentLog
from dockercise_prefect.results.record.log_packer import CHUNK, LogPacker
from dockercise_prefect.results.record.output_file import OutputFile
from dockercise_prefect.results.record.owner_mark import OwnerMark, mark_owner, unmark_owner
from dockercise_prefect.results.record.store import Kept, LogWriter, StdoutWriter
from dockercise_prefect.results.record.volume_bases import VolumeBases
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.status import StageStatus

_RAN_NOT = frozenset({StageStatus.RUNNING, StageStatus.CACHED, StageStatus.SKIPPED, StageStatus.NOT_STARTED})
"""Stages that have not run here, or not yet. What a reused stage left is stored elsewhere."""

THREADS = 2
"""The number of threads that compress one volume, besides the thread that reads it."""

RESERVED = frozenset({"index", "summary"})
"""Names that are not allowed for a stage (LANGUAGE section 3): its `.json` would replace the file of the run."""


def checked_name(name: str, what: str) -> str:
    """Check that a name can be a file name. The compiler accepts no other names, but a pipeline may be written in Python.

    Raises:
        UsageError: the name is a path out of its folder, or is the name of another file.
    """
    if not name or name in {".", ".."} | RESERVED or "/" in name or "\0" in name:
        raise UsageError(f"{what} cannot be called {name!r}: its results could not be stored under that name", "rename it")
    return name


class LocalStore:
    """A `RunStore` in a folder.

    Args:
        results: the folder of all results, which is created when needed.
        pipeline: the name of the pipeline.
        run_id: the id of the run, unique among the runs of this pipeline.

    Raises:
        UsageError: the pipeline's name cannot be the name of a folder.
    """

    def __init__(self, results: Path, pipeline: str, run_id: str) -> None:
        self._folder = results.absolute() / checked_name(pipeline, "a pipeline") / run_id
        self._sensitive: Mapping[str, str] = {}
        self._groups: tuple[str, ...] = ()
        self._silent: frozenset[str] = frozenset()
        self._bases = VolumeBases({})
        self._lock = threading.Lock()
        self._packer = LogPacker()
        self._logs: dict[str, LogFile] = {}

    @property
    def folder(self) -> Path:
        """See `RunStore`."""
        return self._folder

    @property
    def objects(self) -> Objects:
        """See `RunStore`."""
        return FolderObjects(self._folder.parent.parent)

    @property
    def url(self) -> str:
        """See `RunStore`."""
        return self._folder.as_uri()

    def link(self, name: str) -> str:
        """See `RunStore`."""
        return (self._folder / name).as_uri()

    def start(self, index: Mapping[str, Any], owner: OwnerMark | None = None) -> None:
        """See `RunStore`."""
        self._learn(index)
        with storing(self._folder):
            make_folder(self._folder.parent)
            self._folder.mkdir(mode=FOLDER_MODE)  # never write into the folder of another run
        try:
            if owner is not None:
                mark_owner(self._folder, owner)
            self._write(INDEX, index)
        except StorageError:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def resume(self, index: Mapping[str, Any]) -> None:
        """See `RunStore`. Archives that are there already are not the base of further ones."""
        self._learn(index)
        for name in index["stages"]:
            self._bases.leave_out(name)

    def stage_started(self, name: str, summary: StageSummary) -> None:
        """See `RunStore`."""
        self._write_stage(name, summary, Kept())

    def log(self, name: str) -> LogWriter:
        """See `RunStore`."""
        if self._declared(name) in self._silent:
            return SilentLog()
        log = LogFile(self._folder / plain_log(name), self._packer)
        with self._lock:
            self._logs[name] = log
        return log

    def output(self, name: str) -> StdoutWriter:
        """See `RunStore`."""
        return OutputFile(self._folder / output_file(name))

    def when_log_is_kept(self, name: str, then: Callable[[str | None], None]) -> None:
        """See `RunStore`."""
        log = self._log_of(name)
        if log is None:
            then(None)
        else:
            log.kept.add_done_callback(lambda kept: then(kept.result()))

    def stage_ended(self, name: str, summary: StageSummary, kept: Kept) -> None:
        """See `RunStore`."""
        self._write_stage(name, summary, kept)
        log = self._log_of(name)
        if log is not None and log.failure is not None:
            failure, log.failure = log.failure, None  # reported only once
            raise failure

    def keep_volume(self, name: str, files: Iterable[bytes]) -> StageName | None:
        """See `RunStore`."""
        compressor = ZstdCompressor(
            level=LEVEL, write_checksum=True, threads=THREADS
        )  # as `zstd` does, so that readers notice damage
        with self._bases.keeping(name, self._declared(name)) as (
            base,
            manifest,
        ):  # the archive is in its place before others stop waiting for it
            chunks = files if manifest is None else archived(files, name, base, manifest, self._folder)
            with self._whole(volume_file(name)) as file, compressor.stream_writer(file, closefd=False) as compressed:
                for chunk in chunks:
                    compressed.write(chunk)
        return base.stage if base else None

    def keep_tests(self, name: str, tests: bytes) -> None:
        """See `RunStore`."""
        with self._whole(tests_file(name)) as file:
            file.write(tests)

    def leave_volume_out(self, name: str) -> None:
        """See `RunStore`."""
        self._bases.leave_out(name)

    def bundle_outputs(self, stages: Iterable[StageName]) -> None:
        """See `RunStore`."""
        with self._whole(OUTPUTS) as file, ZipFile(file, "w", ZIP_DEFLATED) as bundle:
            for name in stages:
                entry = ZipInfo(name, datetime.now(UTC).timetuple()[:6])
                entry.compress_type = ZIP_DEFLATED
                entry.external_attr = (stat.S_IFREG | FILE_MODE) << 16
                with (
                    (self._folder / output_file(name)).open("rb") as output,
                    bundle.open(entry, "w", force_zip64=True) as packed,
                ):
                    shutil.copyfileobj(output, packed, CHUNK)

    def keep_report(self, page: str) -> None:
        """See `RunStore`."""
        with self._whole(REPORT) as file:
            file.write(page.encode("utf-8", "replace"))

    def settle(self) -> None:
        """See `RunStore`. In a folder, everything except long logs is already in its place."""
        self._packer.wait()

    def finish(self, summary: RunSummary) -> None:
        """See `RunStore`."""
        self._bases.close()
        self._end(summary)

    def leave(self, summary: RunSummary) -> None:
        """See `RunStore`."""
        self._packer.close()
        self._bases.close()
        self._end(summary)

    def _end(self, summary: RunSummary) -> None:
        with collector_paused():
            self._write(SUMMARY, summary.to_json())
        unmark_owner(self._folder)
        Journal(self._folder).remove()

    def _learn(self, index: Mapping[str, Any]) -> None:
        stages: Mapping[str, Mapping[str, Any]] = index["stages"]
        for name in stages:
            checked_name(name, "a stage")
            if stages[name].get("junit") and (other := tests_file(name).removesuffix(".json")) in stages:
                raise UsageError(f"the tests of {name} would be stored where the end of {other} is", f"rename {other}")
        self._sensitive = {name: stage["sensitive"] for name, stage in stages.items() if stage["sensitive"]}
        self._silent = frozenset(name for name, stage in stages.items() if stage["no_log"])
        self._groups = tuple(name for name, stage in stages.items() if "each" in stage)
        self._bases = VolumeBases({name: stage["on"] for name, stage in stages.items() if not stage["no_log"]}, self._groups)

    def _declared(self, name: str) -> str:
        """The stage of the index that an entry belongs to: of a member, its group."""
        return next((group for group in self._groups if name.startswith(f"{group}(")), name)

    def _log_of(self, name: str) -> LogFile | None:
        with self._lock:
            return self._logs.get(name)

    def _write_stage(self, name: str, summary: StageSummary, kept: Kept) -> None:
        reason = kept.sensitive or self._sensitive.get(self._declared(name))
        entry = {
            "value": kept.value if reason is None else None,
            "sensitive": reason is not None,
            "sensitive_because": reason,
            "left_out": dict(kept.left_out),
            "attempt": kept.attempt,
            "earlier_attempts": [asdict(attempt) for attempt in kept.earlier_attempts],
            "output_digest": kept.output_digest,
            "volume_digest": kept.volume_digest,
            "output_size": kept.output_size,
            "made_from": None if kept.made_from is None else kept.made_from.to_json(),
        }
        path, content = self._folder / entry_file(name), json_bytes({"stage": name, **summary.to_json(), **entry})
        with storing(path):
            if summary.status in _RAN_NOT:
                write_unsynced(path, content)
            else:
                write_whole(path, content)

    @contextmanager
    def _whole(self, name: str) -> Iterator[BinaryIO]:
        path = self._folder / name
        with storing(path), whole_file(path) as file:
            yield file

    def _write(self, file: str, data: Mapping[str, Any]) -> None:
        path = self._folder / file
        with storing(path):
            write_json(path, data)
