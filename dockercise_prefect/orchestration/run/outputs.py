"""What stages leave, in two places: the engine of the run, and the record of the run.

What a stage prints on stdout is stored in the record if that is allowed, otherwise on the engine. A volume is on the engine
first, and can be restored from the record on any engine.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from dockercise_prefect.archives.content_digest import digest_text
from dockercise_prefect.archives.tarball import packed
from dockercise_prefect.errors import DamagedError, DockerciseError, StorageError
from dockercise_prefect.orchestration.run.secrecy import Secrecy, SensitiveFoundError, looked_through
from dockercise_prefect.pipeline import Pipeline, Stage, StageName
from dockercise_prefect.results.record.file_names import OUTPUTS, output_file
from dockercise_prefect.results.record.store import Kept, RunStore, StdoutWriter
from dockercise_prefect.runtime.concurrent import Once
from dockercise_prefect.runtime.files.output import Printed, Spool, SpooledOutput
from dockercise_prefect.runtime.files.output_volumes import OutputVolumes
from dockercise_prefect.runtime.files.volumes import Volumes
from dockercise_prefect.runtime.secrets.forms import LONGEST
from dockercise_prefect.runtime.stage.job import JobResult, OwnVolume, Stdout
from dockercise_prefect.runtime.stage.ports import OutputWriter

if TYPE_CHECKING:
    from dockercise_prefect.results.reading.recorded_run import RecordedRun

LONGEST_VALUE = 1_048_576
"""The maximum size in bytes of a value in the JSON of its stage. Readers load all of the JSON into memory."""


class RunOutputs:
    """The outputs of one run (`runtime.stage.ports.Outputs`). Thread-safe. Must be closed.

    Output that is not sensitive is written to its file in the record immediately. Output that may be sensitive is stored in a
    private place until the stage has ended. It then goes to the record if no secret is found in it. Output that is not
    allowed in the record is stored in a volume of the run on its engine, for the stages that need it.

    Args:
        pipeline: the stages that run.
        store: stores the record.
        secrecy: says what is sensitive.
        volumes: the volumes of the run for outputs.
        failed: called with the error if an output cannot be stored in the record.
        kept: reads what a stage printed that is reused.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        store: RunStore,
        secrecy: Secrecy,
        volumes: OutputVolumes,
        *,
        failed: Callable[[StorageError], None],
        kept: Callable[[Stdout], Iterable[bytes]],
    ) -> None:
        self._pipeline = pipeline
        self._store = store
        self._secrecy = secrecy
        self._volumes = volumes
        self._failed = failed
        self._kept = kept
        self._fetched: Once[Stdout, Printed] = Once()
        self._needed = {name for stage in pipeline for name in stage.needs}
        self._spool = Spool()
        self._lock = Lock()
        self._left_out: dict[StageName, str] = {}
        self._to_learn: dict[StageName, list[bytes]] = defaultdict(list)
        self._recorded: set[StageName] = set()

    def writer(self, stage: StageName) -> OutputWriter:
        """See `Outputs`."""
        known = self._pipeline.find(stage)
        with self._lock:
            self._left_out.pop(stage, None)  # of an earlier attempt
        if known.no_log or self._secrecy.because(known):
            return _Spooled(self._spool, partial(self._decided, known))
        return _Recorded(
            self._store, stage, self._spool, lambda error, printed, digest: self._lost(known, error, printed, digest)
        )

    @contextmanager
    def open(self, stdout: Stdout) -> Iterator[Printed]:
        """See `Outputs`."""
        if stdout.reused_from is not None:
            yield self._fetched.get(stdout, partial(self._fetch, stdout))
        elif stdout.file is not None:
            with _opened(self._store.folder / stdout.file, stdout.size) as printed:
                yield printed
        elif stdout.volume is not None:
            with self._volumes.open(stdout.volume) as printed:
                yield printed
        else:
            yield Printed.of(b"")

    def kept(self, stage: Stage, result: JobResult) -> Kept:
        """The part of a stage's output that may be in the record."""
        kept = Kept(sensitive=self._secrecy.because(stage), attempt=result.attempt)
        with self._lock:
            if (why := self._left_out.get(stage.name)) is not None:
                kept = replace(kept, left_out={"output": why})
        if result.stdout is None:
            return kept
        if result.stdout.file is not None:
            kept = replace(kept, output_digest=result.stdout.digest, output_size=result.stdout.size)
        return kept if kept.sensitive else self._with_value(kept, result.stdout)

    def learn(self, stage: StageName) -> None:
        """From here on, mask the values of all attempts at a stage that has ended, if they are sensitive."""
        with self._lock:
            values = self._to_learn.pop(stage, [])
        for value in filter(None, values):
            self._secrecy.masker.add(value)

    def recall(self, results: Iterable[JobResult]) -> None:
        """Mask the values of sensitive stages that an earlier process of the run has run."""
        for result in results:
            if result.stdout is not None and self._secrecy.because(self._pipeline.find(result.stage)):
                with suppress(DockerciseError, OSError), self.open(result.stdout) as printed:
                    self._secrecy.masker.add(printed.value_beginning(LONGEST))

    def close(self) -> None:
        """Release the outputs that are stored here."""
        self._spool.close()

    def _fetch(self, stdout: Stdout) -> Printed:
        try:
            return self._spooled(stdout)
        except DamagedError:  # the next try reads another copy
            return self._spooled(stdout)

    def _spooled(self, stdout: Stdout) -> Printed:
        output = SpooledOutput(self._spool)
        for chunk in self._kept(stdout):
            output.write(chunk)
        return output.printed()

    def _with_value(self, kept: Kept, stdout: Stdout) -> Kept:
        try:
            with self.open(stdout) as printed:
                size = printed.value_size()
                if size <= LONGEST_VALUE:
                    value = printed.value().decode("utf-8", errors="replace")
                    return replace(kept, value=self._secrecy.masker.text(value))
        except StorageError as error:  # somebody removed the record
            self._failed(error)
            return kept
        why = f"it has {size:,} bytes; {stdout.file or OUTPUTS} has the full value"
        return replace(kept, left_out={**kept.left_out, "value": why})

    def _decided(self, stage: Stage, printed: Printed, digest: str) -> Stdout:
        """Decide where the output of a sensitive stage is stored from now on."""
        scan = self._secrecy.scan(stage)
        with self._lock:
            self._to_learn[stage.name].append(printed.value_beginning(LONGEST))
        if stage.no_log or scan is None:
            return self._on_engine(stage, printed, None)
        try:
            for _ in looked_through(printed.chunks(), scan):
                pass
            return self._in_record(stage, printed, digest)
        except SensitiveFoundError as error:
            with self._lock:
                self._left_out[stage.name] = error.message
            self._remove_earlier(stage)
        except StorageError as error:
            self._failed(error)
        return self._on_engine(stage, printed, None)

    def _in_record(self, stage: Stage, printed: Printed, digest: str) -> Stdout:
        output = self._store.output(stage.name)
        try:
            for chunk in printed.chunks():
                output.write(chunk)
            output.close()
        except StorageError:
            _discard(output)
            raise
        self._recorded.add(stage.name)
        return Stdout(printed.size, digest, file=output_file(stage.name))

    def _remove_earlier(self, stage: Stage) -> None:
        """Replace the output of an earlier attempt in the record by an empty one."""
        if stage.name in self._recorded:
            with suppress(StorageError):  # then the record is broken anyway
                self._store.output(stage.name).close()

    def _on_engine(self, stage: Stage, printed: Printed, digest: str | None) -> Stdout:
        if stage.declared_name not in self._needed or printed.size == 0:
            return Stdout(printed.size, digest)
        return Stdout(printed.size, digest, volume=self._volumes.keep(stage.name, printed))

    def _lost(self, stage: Stage, error: StorageError, printed: Printed, digest: str) -> Stdout:
        self._failed(error)
        return self._on_engine(stage, printed, digest)


def restored_volume(run: RecordedRun, stage: StageName, volumes: Volumes, image: str) -> OwnVolume:
    """The volume of a stage of a recorded run as a new volume on an engine, with modes, links and owners.

    Args:
        run: the recorded run.
        stage: the stage that the volume belonged to.
        volumes: makes the volume, on any engine.
        image: the id of any image on that engine.

    Raises:
        StorageError: the record does not have the volume or its digest, or cannot be read.
        EngineError: the volume does not match its digest, or the engine refuses. Then the volume is removed, at the latest at
            the end of the run.
    """
    entry = run.entry(stage)
    digest = entry.volume_digest if entry else None
    if digest is None:
        raise StorageError(f"{run.url} does not have the volume of {stage}, or not its digest")
    name = volumes.restored(stage, image, packed(run.volume(stage)), digest)
    return OwnVolume(name, written=True, digest=digest)


class _Spooled:
    """An `OutputWriter` for output that must stay private."""

    def __init__(self, spool: Spool, decide: Callable[[Printed, str], Stdout]) -> None:
        self._output = SpooledOutput(spool)
        self._digest = sha256()
        self._decide = decide

    def write(self, chunk: bytes) -> None:
        self._output.write(chunk)
        self._digest.update(chunk)

    def close(self) -> Stdout:
        return self._decide(self._output.printed(), digest_text(self._digest.digest()))


class _Recorded:
    """An `OutputWriter` to a file of the record. If that fails, it writes to the spool: a record must not fail a stage."""

    def __init__(
        self, store: RunStore, stage: StageName, spool: Spool, lost: Callable[[StorageError, Printed, str], Stdout]
    ) -> None:
        self._stage = stage
        self._spool = spool
        self._lost = lost
        self._digest = sha256()
        self._size = 0
        self._error: StorageError | None = None
        self._file: StdoutWriter | None = None
        self._output = SpooledOutput(spool)
        try:
            self._file = store.output(stage)
        except StorageError as error:
            self._error = error

    def write(self, chunk: bytes) -> None:
        if self._file is None:
            self._output.write(chunk)
        else:
            try:
                self._file.write(chunk)
            except StorageError as error:
                self._fall_back(self._file, error)
                self._output.write(chunk)
        self._digest.update(chunk)
        self._size += len(chunk)

    def close(self) -> Stdout:
        digest = digest_text(self._digest.digest())
        if self._file is not None:
            try:
                self._file.close()
            except StorageError as error:
                self._fall_back(self._file, error)
        if self._error is not None:
            return self._lost(self._error, self._output.printed(), digest)
        return Stdout(self._size, digest, file=output_file(self._stage))

    def _fall_back(self, file: StdoutWriter, error: StorageError) -> None:
        """Go on without the file. Its content goes to the spool."""
        with _opened(file.path, self._size) as printed:
            for chunk in printed.chunks():
                self._output.write(chunk)
        _discard(file)
        self._file, self._error = None, error


@contextmanager
def _opened(path: Path, size: int) -> Iterator[Printed]:
    try:
        file = path.open("rb", buffering=0)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    with file:
        yield Printed(size, lambda offset, length: os.pread(file.fileno(), length, offset))


def _discard(output: StdoutWriter) -> None:
    with suppress(StorageError):
        output.close()
    output.path.unlink(missing_ok=True)
