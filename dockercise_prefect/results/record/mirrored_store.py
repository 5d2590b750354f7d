"""The record of a run in a bucket. It is written on this machine first, and sent during the run (docs/adr/0013)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from dockercise_prefect.errors import StorageError
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.places.objects import Objects, RefusedError
from dockercise_prefect.results.record.file_names import (
    INDEX,
    OUTPUTS,
    REPORT,
    SUMMARY,
    entry_file,
    output_file,
    packed_log,
    plain_log,
    tests_file,
    volume_file,
)
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.results.record.mirror import Mirror
from dockercise_prefect.results.record.owner_mark import OwnerMark
from dockercise_prefect.results.record.store import Kept, LogWriter, StdoutWriter
from dockercise_prefect.results.record.unsent import Destination, UnsentRun
from dockercise_prefect.results.summary import RunSummary, StageSummary

KNOCK_SECONDS = 10.0
"""How many seconds a run waits for the bucket's first answer before it starts."""

SILENT_SECONDS = 5.0
"""How many seconds the end of a run waits for the bucket before the user gets a message about it."""


class MirroredStore:
    """A `RunStore` in a bucket.

    If the bucket fails, only `start`, `settle` and `finish` raise an error. The record is complete in the folder of the unsent
    run until all of it has been sent.

    Args:
        objects: the place of all results.
        pipeline: the name of the pipeline.
        unsent: the folder of the record until it is sent.
        notify: called with a message if the bucket fails during the run.

    Raises:
        UsageError: the pipeline's name cannot be the name of a folder.
    """

    def __init__(self, objects: Objects, pipeline: str, unsent: UnsentRun, notify: Callable[[str], None]) -> None:
        self.objects = objects
        self._unsent = unsent
        self._local = LocalStore(unsent.folder, pipeline, unsent.run_id)
        self._destination = Destination(objects.url, pipeline)
        self._path = f"{pipeline}/{unsent.run_id}"
        self._notify = notify
        self._mirror = Mirror(self._local.folder, objects, self._path, notify)

    @property
    def folder(self) -> Path:
        """See `RunStore`."""
        return self._local.folder

    @property
    def url(self) -> str:
        """See `RunStore`."""
        return f"{self.objects.url}/{self._path}"

    def link(self, name: str) -> str:
        """See `RunStore`."""
        return self.objects.link(f"{self._path}/{name}")

    def start(self, index: Mapping[str, Any], owner: OwnerMark | None = None) -> None:
        """See `RunStore`. If the bucket refuses access, nothing of the record is left on this machine."""
        try:
            self._local.start(index, owner)
            self._unsent.begin(self._destination)  # only when there is something to send
            self._knock()
        except BaseException:
            self._mirror.close()
            self._unsent.end()
            raise

    def resume(self, index: Mapping[str, Any]) -> None:
        """See `RunStore`. All files are sent again: nobody knows which of them have arrived."""
        self._local.resume(index)
        self._unsent.begin(self._destination)
        for file in sorted(self._local.folder.iterdir()):
            if file.is_file() and not file.name.startswith("."):
                self._mirror.put(file.name)

    def stage_started(self, name: str, summary: StageSummary) -> None:
        """See `RunStore`."""
        self._local.stage_started(name, summary)
        self._mirror.put(entry_file(name))

    def log(self, name: str) -> LogWriter:
        """See `RunStore`."""
        log = self._local.log(name)
        file = plain_log(name)
        if not (self._local.folder / file).exists():
            return log
        return _MirroredLog(log, lambda: self._mirror.grew(file), lambda: self._log_closed(name))

    def output(self, name: str) -> StdoutWriter:
        """See `RunStore`. The output is sent when it is complete."""
        return _MirroredOutput(self._local.output(name), lambda: self._mirror.put(output_file(name)))

    def when_log_is_kept(self, name: str, then: Callable[[str | None], None]) -> None:
        """See `RunStore`."""
        self._local.when_log_is_kept(name, then)

    def stage_ended(self, name: str, summary: StageSummary, kept: Kept) -> None:
        """See `RunStore`."""
        try:
            self._local.stage_ended(name, summary, kept)
        finally:
            # For readers who follow the log in the bucket, this file is the end of the log.
            self._local.when_log_is_kept(name, lambda log: self._mirror.put(entry_file(name), after=log))

    def keep_volume(self, name: str, files: Iterable[bytes]) -> StageName | None:
        """See `RunStore`. An archive is sent to the bucket after its base."""
        base = self._local.keep_volume(name, files)
        self._mirror.put(volume_file(name), after=volume_file(base) if base else None)
        return base

    def keep_tests(self, name: str, tests: bytes) -> None:
        """See `RunStore`."""
        self._local.keep_tests(name, tests)
        self._mirror.put(tests_file(name))

    def leave_volume_out(self, name: str) -> None:
        """See `RunStore`."""
        self._local.leave_volume_out(name)

    def bundle_outputs(self, stages: Iterable[StageName]) -> None:
        """See `RunStore`."""
        self._local.bundle_outputs(stages)
        self._mirror.put(OUTPUTS)

    def keep_report(self, page: str) -> None:
        """See `RunStore`."""
        self._local.keep_report(page)
        self._mirror.put(REPORT)

    def settle(self) -> None:
        """See `RunStore`."""
        self._local.settle()
        try:
            if not self._mirror.settle(within=SILENT_SECONDS):
                self._notify(f"waiting until all results are at {self.url} (Ctrl-C leaves them on this machine)")
                self._mirror.settle()
        except StorageError as error:
            raise self._unsent_error(error) from error

    def finish(self, summary: RunSummary) -> None:
        """See `RunStore`."""
        self._local.finish(summary)
        self._mirror.put(SUMMARY)
        self.settle()
        self._mirror.close()
        self._unsent.end()

    def leave(self, summary: RunSummary) -> None:
        """See `RunStore`."""
        self._mirror.close()
        try:
            self._local.leave(summary)
        finally:
            self._unsent.leave()

    def _log_closed(self, stage: str) -> None:
        self._local.when_log_is_kept(stage, lambda file: self._log_kept(stage, file))

    def _log_kept(self, stage: str, file: str | None) -> None:
        if file == packed_log(stage):
            self._mirror.put_instead(file, plain_log(stage))
        elif file is not None:
            self._mirror.put(file)

    def _knock(self) -> None:
        """Check whether the bucket refuses access. If it fails or takes too long to answer, the run does not wait for it."""
        try:
            self._mirror.knock(INDEX, KNOCK_SECONDS)
        except RefusedError:
            raise
        except StorageError:  # the bucket may work later, and is tried again soon
            return

    def _unsent_error(self, error: StorageError) -> StorageError:
        return StorageError(
            f"results could not be sent: {error.message}",
            f"they are kept in {self._local.folder}; `dockercise results push {self._unsent.run_id}` sends them",
        )


class _MirroredLog:
    """A `LogWriter` that calls a function when its log grows, and when it is closed."""

    def __init__(self, log: LogWriter, grew: Callable[[], None], closed: Callable[[], None]) -> None:
        self._log = log
        self._grew = grew
        self._closed = closed

    def write(self, chunk: bytes) -> None:
        """See `LogWriter`."""
        self._log.write(chunk)
        self._grew()

    def close(self) -> None:
        """See `LogWriter`."""
        self._log.close()
        self._closed()


class _MirroredOutput:
    """A `StdoutWriter` that calls a function when it is closed."""

    def __init__(self, output: StdoutWriter, closed: Callable[[], None]) -> None:
        self._output = output
        self._closed = closed

    @property
    def path(self) -> Path:
        """See `StdoutWriter`."""
        return self._output.path

    def write(self, chunk: bytes) -> None:
        """See `StdoutWriter`."""
        self._output.write(chunk)

    def close(self) -> None:
        """See `StdoutWriter`."""
        self._output.close()
        self._closed()
