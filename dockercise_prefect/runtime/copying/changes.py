"""The volumes that keep what is changed in copies."""

from __future__ import annotations

import time

from dockercise_prefect.archives.tarball import Folder, tar_stream
from dockercise_prefect.runtime.files.volumes import Volumes
from dockercise_prefect.runtime.overlay import FOLDERS, UPPER, WORK


def empty_changes(volumes: Volumes, image: str) -> str:
    """A new volume for the changes of one copy.

    Args:
        volumes: of the run.
        image: the id of any image on the engine.
    """
    now = time.time()
    folders = [
        Folder(path=path, mode=mode, mtime=now, uid=root.uid, gid=root.gid)
        for root, name in FOLDERS.items()
        for path, mode in ((name, 0o755), (f"{name}/{WORK}", 0o755), (f"{name}/{UPPER}", root.mode))
    ]
    return volumes.filled("changes", image, tar_stream(folders))
