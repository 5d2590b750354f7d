"""Keeps what stages printed on the run's own engine, if it may not be in the record."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from os import pread
from typing import Final

from dockercise_prefect.archives.tarball import File, members
from dockercise_prefect.pipeline import StageName
from dockercise_prefect.runtime.engine import ContainerMount, Engine
from dockercise_prefect.runtime.files.output import Printed
from dockercise_prefect.runtime.files.volumes import Volumes

_FILE: Final = "stdout"
_FOLDER: Final = "/output"


class OutputVolumes:
    """Volumes of the run that each hold what one stage printed. Thread-safe.

    Args:
        engine: where they are.
        volumes: makes them.
        image: gives the id of any image on the engine.
    """

    def __init__(self, engine: Engine, volumes: Volumes, image: Callable[[], str]) -> None:
        self._engine = engine
        self._volumes = volumes
        self._image = image

    def keep(self, stage: StageName, printed: Printed) -> str:
        """Make a new volume with all of the output. Return its name.

        Raises:
            EngineError: the volume cannot be made.
        """
        file = File(path=_FILE, size=printed.size, content=printed.chunks, mode=0o400)
        return self._volumes.with_file(f"stdout-{stage}", self._image(), file)

    @contextmanager
    def open(self, volume: str) -> Iterator[Printed]:
        """What a volume holds. It is copied to a file without a name on this machine, until the context ends.

        Raises:
            EngineError: the volume is gone.
            OSError: the disk is full.
        """
        self._volumes.check_there(volume, "what a stage printed")
        mount = ContainerMount("volume", volume, _FOLDER, read_only=True)
        with tempfile.TemporaryFile() as file:
            with (
                self._volumes.reader(self._image(), mount) as reader,
                closing(self._engine.get(reader, f"{_FOLDER}/{_FILE}")) as archive,
            ):
                size = sum(file.write(chunk) for _, content in members(archive) for chunk in content)
            file.flush()
            number = file.fileno()
            yield Printed(size, lambda offset, length: pread(number, length, offset))
