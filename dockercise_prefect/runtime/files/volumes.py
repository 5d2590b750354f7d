"""Makes volumes on an engine and fills them (LANGUAGE section 3).

Files reach volumes only through the engine's API, by containers that are created with the volume mounted, and never started.
So this works with engines on other machines, and needs no shell and no program in any image.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from tarfile import TarError

from dockercise_prefect.archives.content_digest import content_digested
from dockercise_prefect.archives.tarball import File, Folder, owned_by, tar_stream
from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.runtime.cleanup.labels import OVERLAY, Labels
from dockercise_prefect.runtime.engine import ContainerMount, ContainerSpec, Engine
from dockercise_prefect.runtime.files.users import Ids
from dockercise_prefect.runtime.overlay import Overlay, Root


class Volumes:
    """The volumes of one run. Thread-safe.

    Args:
        engine: where they are.
        labels: of the run.
        later: runs a task that nobody waits for: removing the containers that helped to fill the volumes.
        check: called while files are copied; raises if copying has to stop.
    """

    def __init__(
        self, engine: Engine, labels: Labels, later: Callable[[Callable[[], object]], None], check: Callable[[], None]
    ) -> None:
        self._engine = engine
        self._labels = labels
        self._later = later
        self._check = check

    def own(self, stage: StageName) -> str:
        """A new, empty volume for a stage. Only root can write to it until `set_root` is called."""
        name = self._labels.name(stage)
        self._engine.create_volume(name, self._labels.of_itself(stage))
        return name

    def overlaid(self, stage: StageName, overlay: Overlay) -> str:
        """A new volume for a stage: a copy of another volume by an overlay."""
        name = self._labels.name(stage)
        self._create_overlay(name, self._labels.of_itself(stage), overlay)
        return name

    def overlaid_for_trial(self, overlay: Overlay) -> str:
        """A new volume of the run: a copy of another volume by an overlay."""
        name = self._labels.name("overlay")
        self._create_overlay(name, self._labels.of_run(), overlay)
        return name

    def restored(self, stage: StageName, image: str, files: Iterable[bytes], digest: str) -> str:
        """A new volume of a stage with everything that the record has of it: names, modes, owners, links and bytes.

        Args:
            stage: the stage that the volume belonged to.
            image: the id of any image on the engine.
            files: a tar stream whose paths begin with the stage's name. Its exceptions are raised here.
            digest: of what the volume held (docs/digests.md).

        Raises:
            EngineError: the files do not match the digest, or the engine refuses. Then the volume is removed, now or, if the
                container that filled it is still there, at the end of the run.
        """
        name = self.own(stage)
        try:
            self._put_digested(stage, name, image, files, digest)
        except BaseException:
            with suppress(EngineError):
                self._engine.remove_volume(name)
            raise
        return name

    def empty(self, what: str) -> str:
        """A new, empty volume of the run; `what` says what it is for."""
        name = self._labels.name(what)
        self._engine.create_volume(name, self._labels.of_run())
        return name

    def filled(self, what: str, image: str, files: Iterable[bytes]) -> str:
        """A new volume of the run with the files of a tar stream; `image` is the id of any image on the engine."""
        return self._fill(self.empty(what), image, files)

    def more(self, name: str, image: str, files: Iterable[bytes]) -> None:
        """Put the files of a tar stream into a volume that `filled` has made, in addition to what it holds."""
        self._fill(name, image, files)

    def with_file(self, what: str, image: str, file: File) -> str:
        """A new volume of the run with one file."""
        return self.filled(what, image, tar_stream([file]))

    def check_there(self, name: str, what: str) -> None:
        """Make sure that a volume still exists.

        Raises:
            EngineError: the volume was removed. Mounting it would silently create an empty one.
        """
        if not self._engine.volume_exists(name):
            raise EngineError(f"{what} is no longer on the engine", "another program removed it during the run")

    def set_root(self, stage: Stage, container: str, root: Root) -> None:
        """Set the mode and owner of the stage's own volume, through the stage's container, which is not started."""
        folder = Folder(path=stage.written_name, mode=root.mode, mtime=time.time(), uid=root.uid, gid=root.gid)
        self._engine.put(container, "/", tar_stream([folder]))

    def copy(self, stage: Stage, source: str, container: str, image: str, owner: Ids | None) -> None:
        """Fill the stage's own volume with a copy of another volume. Modes, owners and links are kept.

        Args:
            stage: the stage whose volume is filled, through its `container`, which is not started.
            source: the name of the other volume.
            image: the id of any image on the engine.
            owner: the owner of the copies; None if they keep their owners.
        """
        # The source is mounted in a folder with the same name, since the names of the entries begin with that name.
        folder = f"/from{stage.folder}"
        mount = ContainerMount("volume", source, folder, read_only=True)
        with self.reader(image, mount) as loader, closing(self._engine.get(loader, folder)) as archive:
            stream: Iterator[bytes] = archive
            if owner is not None:
                stream = owned_by(stream, owner.uid, owner.gid)
            self._engine.put(container, "/", self._checked(stream))

    @contextmanager
    def reader(self, image: str, mount: ContainerMount) -> Iterator[str]:
        """A container with a volume mounted. It is never started. `image` is the id of any image on the engine."""
        spec = ContainerSpec(
            name=self._labels.name("loader"),
            image=image,
            command=("loader",),
            labels=self._labels.of_run(),
            mounts=(mount,),
        )
        container = self._engine.create(spec)
        try:
            yield container
        finally:
            self._later(lambda: self._engine.remove(container))

    def _create_overlay(self, name: str, labels: Mapping[str, str], overlay: Overlay) -> None:
        self._engine.create_volume(name, {**labels, OVERLAY: f"{overlay.origin} {overlay.changes}"}, overlay)

    def _put_digested(self, stage: StageName, name: str, image: str, files: Iterable[bytes], digest: str) -> None:
        found: list[str] = []
        stream = self._checked(content_digested(files, stage, found.append))
        try:
            with self.reader(image, ContainerMount("volume", name, f"/{stage}", read_only=False)) as loader:
                self._engine.put(loader, "/", stream)
            for _ in stream:  # an engine may read no further than the end of the archive
                pass
        except TarError as error:
            raise EngineError(f"the volume of {stage} is damaged in its record: {error}") from error
        if found[0] != digest:
            raise EngineError(f"the volume of {stage} does not match its record: its digest is {found[0]}, not {digest}")

    def _fill(self, name: str, image: str, files: Iterable[bytes]) -> str:
        stream = self._checked(files)
        with self.reader(image, ContainerMount("volume", name, "/to", read_only=False)) as loader:
            self._engine.put(loader, "/to", stream)
        for _ in stream:  # an engine may read no further than the end of the archive
            pass
        return name

    def _checked(self, stream: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in stream:
            self._check()
            yield chunk
