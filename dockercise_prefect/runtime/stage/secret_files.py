"""The secret files of a stage: their content is in memory, and the path of each is a link to it.

The engine could put a file into a container before it starts, but then the file would be on a disk, and in an image that is
made from the container. So a folder in memory is mounted, and the boot writes each file there (`boot`). Whoever runs the stage
owns the files, and nobody else can read them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dockercise_prefect.archives.tarball import Link
from dockercise_prefect.pipeline.sources import MEMORY_FOLDER


def in_memory(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The contents of secret files, by the paths at which the boot writes them.

    Args:
        files: the contents by the paths at which the stage finds them.
    """
    return {_place(number): text for number, text in enumerate(files.values())}


def links(files: Iterable[str]) -> list[Link]:
    """The links at the paths at which the stage finds its secret files, below the root of the container."""
    return [Link(path=path.lstrip("/"), target=_place(number)) for number, path in enumerate(files)]


def _place(number: int) -> str:
    return f"{MEMORY_FOLDER}/{number}"
