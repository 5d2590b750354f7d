"""Puts a compressed log in the place of a long one, in the background (docs/adr/0027)."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from zstandard import ZstdCompressor

from dockercise_prefect.results.archive import LEVEL
from dockercise_prefect.results.files import whole_file

PACKED = ".zst"
"""What the name of a compressed log ends with, after that of the plain one."""

CHUNK = 262_144
"""Bytes that are read at once."""


class LogPacker:
    """Compresses the logs of one run, one at a time, so that stages that go on keep their processors. Thread-safe."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def pack(self, log: Path, kept: Future[str]) -> None:
        """Replace the log, which grows no more, by a compressed one beside it; returns at once.

        A log that cannot be compressed stays as it is: a full disk is no reason to fail a run that has all it printed.

        Args:
            log: the file.
            kept: is given the name of the file that has the log. Until all are told, the plain one is there.
        """
        # Ctrl-C ends the process at once: a thread that is no daemon would keep it until the log is done.
        thread = threading.Thread(target=self._work, args=(log, kept), name="log-packer", daemon=True)
        self._threads.append(thread)
        thread.start()

    def wait(self) -> None:
        """Wait until all logs are compressed."""
        for thread in list(self._threads):
            thread.join()

    def close(self) -> None:
        """Compress nothing more; logs whose turn has not come or is not over stay as they are."""
        self._stopping.set()
        self.wait()

    def _work(self, log: Path, kept: Future[str]) -> None:
        packed = log.with_name(f"{log.name}{PACKED}")
        with self._turn:
            try:
                self._compress(log, packed)
            except Exception:  # noqa: BLE001  whatever it was: the log is there, and whoever waits for its name is not to hang
                kept.set_result(log.name)
                return
            kept.set_result(packed.name)
            with suppress(OSError):  # then there are two, and both say the same
                log.unlink()

    def _compress(self, log: Path, packed: Path) -> None:
        compressor = ZstdCompressor(level=LEVEL, write_checksum=True)
        with log.open("rb") as plain, whole_file(packed) as file, compressor.stream_writer(file, closefd=False) as writer:
            while chunk := plain.read(CHUNK):
                if self._stopping.is_set():
                    raise InterruptedError
                writer.write(chunk)
