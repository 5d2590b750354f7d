"""Replaces long logs with compressed ones, in the background (docs/adr/0027)."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from zstandard import ZstdCompressor, ZstdError

from dockercise_prefect.results.places.files import whole_file
from dockercise_prefect.results.record.compression import LEVEL
from dockercise_prefect.results.record.file_names import PACKED

CHUNK = 262_144
"""How many bytes are read at once."""


class LogPacker:
    """Compresses the logs of one run, one at a time, so that the stages can use the processors. Thread-safe."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def pack(self, log: Path, kept: Future[str]) -> None:
        """Start to replace the log, which must be complete, and return immediately.

        If it cannot be compressed, because the disk is full for example, the plain log stays and the run does not fail.

        Args:
            log: the file.
            kept: gets the name of the file that has the log. The plain log is not removed before its callbacks have returned.
        """
        # A daemon: otherwise Ctrl-C would not end the process until the log is compressed.
        thread = threading.Thread(target=self._work, args=(log, kept), name="log-packer", daemon=True)
        self._threads.append(thread)
        thread.start()

    def wait(self) -> None:
        """Wait until all logs are compressed."""
        for thread in list(self._threads):
            thread.join()

    def close(self) -> None:
        """Stop compressing. Logs that are not finished stay plain."""
        self._stopping.set()
        self.wait()

    def _work(self, log: Path, kept: Future[str]) -> None:
        packed = log.with_name(f"{log.name}{PACKED}")
        result = log
        with self._turn:
            try:
                with suppress(OSError, ZstdError):
                    self._compress(log, packed)
                    result = packed
            finally:
                kept.set_result(result.name)  # also after an error, because somebody may wait for it
            if result == packed:
                with suppress(OSError):  # if this fails, both files stay, with the same content
                    log.unlink()

    def _compress(self, log: Path, packed: Path) -> None:
        compressor = ZstdCompressor(level=LEVEL, write_checksum=True)
        with log.open("rb") as plain, whole_file(packed) as file, compressor.stream_writer(file, closefd=False) as writer:
            while chunk := plain.read(CHUNK):
                if self._stopping.is_set():
                    raise InterruptedError
                writer.write(chunk)
