"""The volumes that several stages of a run share: the code, the AWS folder, and `/out` (LANGUAGE section 3)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

from dockercise_prefect.archives.content_digest import content_digested
from dockercise_prefect.archives.tarball import Entry, File, Folder, tar_stream
from dockercise_prefect.errors import DamagedError, EngineError
from dockercise_prefect.pipeline import CODE, CodeHistory, StageName
from dockercise_prefect.runtime.concurrent import Once
from dockercise_prefect.runtime.engine import Engine
from dockercise_prefect.runtime.files.aws_folder import aws_entries
from dockercise_prefect.runtime.files.code_digests import CodeDigests
from dockercise_prefect.runtime.files.code_history import history_entries
from dockercise_prefect.runtime.files.code_snapshot import code_entries
from dockercise_prefect.runtime.files.output import Printed
from dockercise_prefect.runtime.files.volumes import Volumes

Opened: TypeAlias = Callable[[], AbstractContextManager[Printed]]
"""Opens what a stage printed."""


@dataclass(frozen=True, slots=True)
class OutFile:
    """A file of `/out`: what one attempt at a stage printed on stdout.

    Attributes:
        stage: the stage.
        attempt: the number of the attempt.
        size: bytes.
        opened: opens the bytes.
    """

    stage: StageName
    attempt: int
    size: int
    opened: Opened


class SharedVolumes:
    """Volumes that are made once, when they are first needed. Thread-safe.

    Args:
        engine: where they are.
        volumes: makes them.
        root: the folder that the code is taken from.
        history: the history of git that the code has; None if it has none.
        notify: called with what cannot be copied.
        made: the volumes of the code and of the AWS folder that an earlier process of the run has made.

    Attributes:
        code_digest: the digest of the code (docs/digests.md), once the code's volume was made.
        lasting: the names of the volumes of the code and of the AWS folder, by what they hold.
    """

    def __init__(  # noqa: PLR0917  what the code is taken from
        self,
        engine: Engine,
        volumes: Volumes,
        root: Path | None,
        history: CodeHistory | None,
        notify: Callable[[str], None],
        made: Mapping[str, str],
    ) -> None:
        self._engine = engine
        self._volumes = volumes
        self._root = root
        self._history = history
        self._notify = notify
        self._made: Once[frozenset[tuple[str, StageName, int]] | str, str] = Once()
        self._kept: Once[str, None] = Once()
        self._code: Once[None, CodeDigests] = Once()
        self.code_digest: str | None = None
        self.lasting: dict[str, str] = dict(made)

    def empty(self, stage: StageName) -> str:
        """An empty volume, used in place of a stage's volume if the stage has none."""
        return self._made.get(f"/{stage}", lambda: self._volumes.empty(stage))

    def restored(self, stage: StageName, digest: str, files: Callable[[], Iterable[bytes]], image: str) -> str:
        """The volume of a stage that is reused, with its content.

        Args:
            stage: the stage.
            digest: of the content (docs/digests.md).
            files: the content, as a tar stream whose paths begin with the stage's name.
            image: the id of any image on the engine.

        Raises:
            DockerciseError: the content cannot be read, or does not match the digest.
        """

        def restored() -> str:
            try:
                return self._volumes.restored(stage, image, files(), digest)
            except DamagedError:  # the next try reads another copy
                return self._volumes.restored(stage, image, files(), digest)

        return self._made.get(f"/{stage}", restored)

    def code(self, image: str, folder: str = "") -> str:
        """The run's snapshot of the code, or of one folder of it.

        Args:
            image: the id of any image on the engine.
            folder: the folder's path in the code; empty for all of the code.

        Raises:
            EngineError: the run has no root folder, or files cannot be read.
            UsageError: the code has to be a git checkout, and the root is not a git repository.
        """

        def fill() -> str:
            files = self.code_entries()
            if folder:
                return self._volumes.filled(CODE, image, tar_stream(_below(folder, files)))
            stream = content_digested(tar_stream(files), "", self._note_code)
            if self._history is None or self._root is None:
                return self._volumes.filled(CODE, image, stream)
            # The history comes after the files, because the digest is that of the files alone: git packs the same commits anew.
            with history_entries(self._root, self._history, {entry.path for entry in files}) as git:
                volume = self._volumes.filled(CODE, image, stream)
                self._volumes.more(volume, image, tar_stream(git))
            return volume

        return self._lasting(f"{CODE}/{folder}", fill)

    def has_code(self, folder: str) -> bool:
        """Whether the snapshot of this folder of the code was made."""
        return f"{CODE}/{folder}" in self.lasting

    def code_entries(self) -> Sequence[Entry]:
        """The files and folders of the code. They are listed once.

        Raises:
            EngineError: the run has no root folder, or files cannot be read.
        """
        return self.code_digests().entries

    def code_digests(self) -> CodeDigests:
        """The digests of the files of the code. Files that are in a volume already are not read again.

        Raises:
            EngineError: the run has no root folder, or files cannot be read.
        """
        return self._code.get(None, self._listed)

    def _listed(self) -> CodeDigests:
        if self._root is None:
            raise EngineError("the pipeline uses the code, but there is no root folder", "set DOCKERCISE_ROOT")
        return CodeDigests(code_entries(self._root, self._notify))

    def aws(self, image: str) -> str:
        """A copy of the user's AWS folder that cannot be changed.

        Raises:
            UsageError: there is no such folder.
        """
        return self._lasting(
            "aws", lambda: self._volumes.filled("aws", image, tar_stream(aws_entries(Path.home(), os.environ)))
        )

    def out(self, outputs: Mapping[str, OutFile], image: str) -> str:
        """The volume with one file for each of these stages. Stages that need the same attempts share this volume.

        Args:
            outputs: the files, by their paths below `/out`.
            image: the id of any image on the engine.
        """
        now = time.time()

        def fill() -> str:
            folders = sorted({path.rpartition("/")[0] for path in outputs if "/" in path})
            entries: list[Entry] = [Folder(path=folder, mtime=now) for folder in folders]
            entries += [
                File(path=path, size=file.size, content=partial(_chunks, file.opened), mode=0o444, mtime=now)
                for path, file in sorted(outputs.items())
            ]
            return self._volumes.filled("out", image, tar_stream(entries))

        return self._made.get(frozenset((path, file.stage, file.attempt) for path, file in outputs.items()), fill)

    def keep(self, name: str) -> None:
        """Make sure that the engine's own volume of that name exists. It does not get our labels, so no run removes it.

        Raises:
            EngineError: a run made it. Its files belong to that run, and it is removed with that run.
        """

        def make() -> None:
            if self._engine.is_of_a_run(name):
                hint = "`vol: STAGE` mounts what a stage of the same run left; for files that stay, use a name of your own"
                raise EngineError(f"the pipeline mounts the volume {name}, which belongs to a run of dockercise", hint)
            if not self._engine.volume_exists(name):
                self._engine.create_volume(name, {})

        self._kept.get(name, make)

    def _lasting(self, what: str, make: Callable[[], str]) -> str:
        if what not in self.lasting:
            self.lasting[what] = self._made.get(what, make)
        return self.lasting[what]

    def _note_code(self, digest: str) -> None:
        self.code_digest = digest


def _below(folder: str, entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries in a folder, with their paths relative to it."""
    above = f"{folder}/"
    return (replace(entry, path=entry.path.removeprefix(above)) for entry in entries if entry.path.startswith(above))


def _chunks(opened: Opened) -> Iterator[bytes]:
    with opened() as printed:
        yield from printed.chunks()
