"""The volumes of a run: each stage's own, what consumers find in `/out`, the code, the AWS folder (LANGUAGE section 3).

Files reach volumes through the engine's API only, by way of containers that are created with the volume mounted and never
started. So it works with engines on other machines and needs no shell and no program in any image.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from dockercise_prefect.archives.tarball import Entry, File, Folder, owned_by, tar_stream
from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import CODE, BuildContext, CodeSnapshot, Stage, StageName
from dockercise_prefect.runtime.cleanup.labels import Labels
from dockercise_prefect.runtime.concurrent import Background, Once
from dockercise_prefect.runtime.engine import ContainerMount, ContainerSpec, Engine
from dockercise_prefect.runtime.files.aws_folder import aws_entries
from dockercise_prefect.runtime.files.code_snapshot import code_entries
from dockercise_prefect.runtime.files.output import StageOutput
from dockercise_prefect.runtime.files.users import is_root, look_up

WRITABLE_FOR_ALL = 0o1777

CONTEXT = "/context"
"""Where the volume that holds what is built is mounted in the container that it is read through."""


class RunVolumes:
    """All volumes of one run. Thread-safe; what several stages share is made once.

    Args:
        engine: where they are.
        labels: of the run.
        background: removes what helped to fill them.
        root: the folder that the code is taken from.
        check: called while files are copied; raises when that is to end.
        notify: told what cannot be copied.
    """

    def __init__(  # noqa: PLR0917  what all volumes of a run need
        self,
        engine: Engine,
        labels: Labels,
        background: Background,
        root: Path | None,
        check: Callable[[], None],
        notify: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._background = background
        self._labels = labels
        self._root = root
        self._check = check
        self._notify = notify
        self._own: dict[StageName, str] = {}
        self._shared: Once[frozenset[StageName] | str, str] = Once()
        self._kept: Once[str, None] = Once()

    def own(self, stage: Stage) -> str:
        """A new, empty volume for the stage; its root is root's until `make_writable`."""
        name = self._labels.name(stage.name)
        self._engine.create_volume(name, self._labels.of_stage(stage.name))
        self._own[stage.name] = name
        return name

    def of(self, stage: StageName) -> str:
        """The volume of a stage that has run; of one that has none, an empty one.

        Raises:
            EngineError: somebody removed it; a mount would silently make an empty one.
        """
        name = self._own.get(stage) or self._shared.get(f"/{stage}", lambda: self._create(stage))
        self._refuse_missing(name, f"the volume of {stage}")
        return name

    def code(self, image: str) -> str:
        """The run's snapshot of the code, made when it is asked for first.

        Args:
            image: the id of any image on the engine.

        Raises:
            EngineError: there is no root, or files cannot be read.
        """
        return self._shared.get(CODE, lambda: self._filled(CODE, image, self._code_entries()))

    def aws(self, image: str) -> str:
        """A copy of the user's AWS folder, closed to changes.

        Raises:
            UsageError: there is no such folder.
        """
        return self._shared.get("aws", lambda: self._filled("aws", image, aws_entries(Path.home(), os.environ)))

    def out(self, outputs: Mapping[StageName, StageOutput], image: str) -> str:
        """The volume with one file for each of these stages, its stdout; stages with the same needs share it."""
        now = time.time()

        def fill() -> str:
            entries = [
                File(path=name, size=output.size, content=output.chunks, mode=0o444, mtime=now)
                for name, output in sorted(outputs.items())
            ]
            return self._filled("out", image, entries)

        return self._shared.get(frozenset(outputs), fill)

    def script(self, name: str, text: bytes, image: str) -> str:
        """A volume with one file that everyone can read."""
        return self._filled("script", image, [File(path=name, size=len(text), content=lambda: [text], mode=0o444)])

    def keep(self, name: str) -> None:
        """See to it that the engine's own volume of that name exists. It has no label of ours, so no run removes it."""

        def make() -> None:
            if not self._engine.volume_exists(name):
                self._engine.create_volume(name, {})

        self._kept.get(name, make)

    def make_writable(self, stage: Stage, container: str) -> None:
        """Let every user write to the root of the stage's own volume, by way of the stage's container, which is not started."""
        root = Folder(path=stage.name, mode=WRITABLE_FOR_ALL, mtime=time.time())
        self._engine.put(container, "/", tar_stream([root]))

    def copy(self, stage: Stage, origin: StageName, container: str, image: str, user: str) -> None:
        """Fill the stage's own volume with a copy of another stage's, or of the code.

        Modes, owners and links are kept. The code, which nobody owns, belongs to the user that the stage runs as.

        Args:
            stage: whose volume is filled, by way of its `container`, which is not started.
            origin: a stage, or `CODE`.
            image: the id of any image on the engine.
            user: that the stage runs as.
        """
        source = self.code(image) if origin == CODE else self.of(origin)
        # The source is mounted under the name of the destination, since that is what the entries are called.
        folder = f"/from/{stage.name}"
        mount = ContainerMount("volume", source, folder, read_only=True)
        with self._loader(image, mount) as loader, closing(self._engine.get(loader, folder)) as archive:
            stream: Iterator[bytes] = archive
            if origin == CODE and not is_root(user):
                ids = look_up(self._engine, container, user)
                stream = owned_by(stream, ids.uid, ids.gid)
            self._engine.put(container, "/", self._checked(stream))

    @contextmanager
    def context(self, source: BuildContext, image: str) -> Iterator[str]:
        """A container, never started, that has what a build takes its files from mounted at `CONTEXT`.

        Args:
            source: the code, or a stage that has run.
            image: the id of any image on the engine.
        """
        volume = self.code(image) if isinstance(source, CodeSnapshot) else self.of(source.stage)
        with self._loader(image, ContainerMount("volume", volume, CONTEXT, read_only=True)) as loader:
            yield loader

    def _code_entries(self) -> list[Entry]:
        if self._root is None:
            raise EngineError("the pipeline uses the code, but there is no root folder", "set DOCKERCISE_ROOT")
        return code_entries(self._root, self._notify)

    def _filled(self, what: str, image: str, entries: Iterable[Entry]) -> str:
        name = self._create(what)
        with self._loader(image, ContainerMount("volume", name, "/to", read_only=False)) as loader:
            self._engine.put(loader, "/to", self._checked(tar_stream(entries)))
        return name

    def _checked(self, stream: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in stream:
            self._check()
            yield chunk

    def _create(self, what: str) -> str:
        name = self._labels.name(what)
        self._engine.create_volume(name, self._labels.of_run())
        return name

    def _refuse_missing(self, name: str, what: str) -> None:
        if not self._engine.volume_exists(name):
            raise EngineError(f"{what} is gone from the engine", "another program removed it during the run")

    @contextmanager
    def _loader(self, image: str, mount: ContainerMount) -> Iterator[str]:
        """A container with the volume mounted, never started."""
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
            self._background.do(lambda: self._engine.remove(container))
