"""What stages of a recorded run printed, for a shell in a stage after them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from dockercise_prefect.archives.content_digest import digest_text
from dockercise_prefect.errors import EngineError, StorageError
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.record.file_names import output_file
from dockercise_prefect.runtime.files.output import Printed, Spool, SpooledOutput
from dockercise_prefect.runtime.stage.job import Stdout
from dockercise_prefect.runtime.stage.ports import OutputWriter


class RecordedOutputs:
    """The outputs of a recorded run (`runtime.stage.ports.Outputs`). Must be closed.

    What stages print now is kept nowhere.

    Args:
        run: the recorded run.
    """

    def __init__(self, run: RecordedRun) -> None:
        self._run = run
        self._spool = Spool()
        self._fetched: dict[str, Printed] = {}

    def fetch(self, stage: StageName, digest: str) -> Stdout:
        """Fetch what a stage printed.

        Raises:
            StorageError: it cannot be read, or does not match its digest.
        """
        output, found = SpooledOutput(self._spool), sha256()
        for chunk in self._run.output(stage):
            output.write(chunk)
            found.update(chunk)
        if digest_text(found.digest()) != digest:
            raise StorageError(f"what {stage} printed does not match its record in {self._run.url}: its digest is another one")
        file = output_file(stage)
        self._fetched[file] = printed = output.printed()
        return Stdout(printed.size, digest, file=file)

    def writer(self, stage: StageName) -> OutputWriter:
        """See `Outputs`."""
        del stage
        return _Unkept()

    @contextmanager
    def open(self, stdout: Stdout) -> Iterator[Printed]:
        """See `Outputs`."""
        if stdout.size == 0:
            yield Printed.of(b"")
            return
        if stdout.file not in self._fetched:
            raise EngineError("what an earlier stage printed was not fetched")
        yield self._fetched[stdout.file]

    def close(self) -> None:
        """Forget what was fetched."""
        self._spool.close()


class _Unkept:
    def write(self, chunk: bytes) -> None:
        """See `OutputWriter`."""

    def close(self) -> Stdout:
        """See `OutputWriter`."""
        return Stdout(0, None)
