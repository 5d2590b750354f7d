"""The file of a script that is too long for an argument, or that another program than a shell runs."""

from __future__ import annotations

from collections.abc import Iterator

from dockercise_prefect.archives.tarball import File
from dockercise_prefect.runtime.engine import ContainerMount
from dockercise_prefect.runtime.files.volumes import Volumes
from dockercise_prefect.runtime.stage.boot import Launch


def script_mounts(start: Launch, volumes: Volumes, image: str) -> Iterator[ContainerMount]:
    """The mount of the script if it is a file. It is in a volume, so an image made from the container does not have it.

    Args:
        start: how the container is started.
        volumes: makes the volume.
        image: the id of any image on the engine.
    """
    if start.script is not None:
        path, text = start.script
        folder, _, name = path.rpartition("/")
        script = File(path=name, size=len(text), content=lambda: [text], mode=0o444)
        yield ContainerMount("volume", volumes.with_file("script", image, script), folder, read_only=True)
