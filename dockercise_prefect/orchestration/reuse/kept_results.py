"""Reads what stages of earlier runs have left, by its digest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256

from dockercise_prefect.archives.content_digest import digest_text
from dockercise_prefect.archives.tarball import packed
from dockercise_prefect.errors import DamagedError, StorageError
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.cache.contents import Contents
from dockercise_prefect.results.places.objects import NotStoredError, Objects
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.runtime.stage.job import OwnVolume, Stdout


class KeptResults:
    """What stages of earlier runs of a pipeline have left: from the contents, or from the record of their run. Thread-safe.

    A content that is damaged is thrown away when it is read. Whoever tries again reads the record.

    Args:
        objects: the place of the results.
        pipeline: the name of the pipeline.
        notify: called with a line for the user if something is damaged.
    """

    def __init__(self, objects: Objects, pipeline: str, notify: Callable[[str], None]) -> None:
        self._objects = objects
        self._pipeline = pipeline
        self._contents = Contents(objects)
        self._notify = notify

    def output(self, stdout: Stdout) -> Iterator[bytes]:
        """What a stage printed, in pieces. Use it only when all of it has come.

        Raises:
            DamagedError: it is damaged. Another try reads the record.
            StorageError: it is gone, or cannot be read.
        """
        if stdout.size == 0:
            return
        with suppress(NotStoredError), self._saying_what_is_damaged():
            yield from self._contents.output(str(stdout.digest))
            return
        path = f"{self._pipeline}/{stdout.reused_from}/{stdout.file}"
        whole = sha256()
        for chunk in self._objects.chunks(path):
            whole.update(chunk)
            yield chunk
        if digest_text(whole.digest()) != stdout.digest:
            raise StorageError(f"{self._objects.link(path)} does not match its digest {stdout.digest}", "run with --no-cache")

    def volume(self, stage: StageName, volume: OwnVolume) -> Iterator[bytes]:
        """The volume of a stage (`runtime.stage.mounts.KeptVolume`). Whoever reads it compares the digest.

        Raises:
            DamagedError: it is damaged. Another try reads the record.
            StorageError: it is gone, or cannot be read.
        """
        with suppress(NotStoredError), self._saying_what_is_damaged():
            yield from self._contents.volume(str(volume.digest), stage)
            return
        if volume.reused_from is None:
            raise StorageError(f"nobody knows which run left the volume of {stage}")
        yield from packed(RecordedRun(self._objects, self._pipeline, volume.reused_from).volume(stage))

    @contextmanager
    def _saying_what_is_damaged(self) -> Iterator[None]:
        try:
            yield
        except DamagedError as error:
            self._notify(f"{error.message}; the record of the run that left it is read instead")
            raise
