"""`vol`: the mounts of a stage (LANGUAGE section 2)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from dockercise_prefect.compiler.reading.names import NAME_SOURCE
from dockercise_prefect.compiler.reading.shapes import Schema, one_or_many, scalar
from dockercise_prefect.compiler.reading.values import Field, normal_path, texts
from dockercise_prefect.compiler.spelling.suggest import StageNames
from dockercise_prefect.errors import Place, Related
from dockercise_prefect.pipeline import (
    CODE,
    Code,
    CodeSnapshot,
    EngineVolume,
    HostPath,
    Mount,
    MountSource,
    StageName,
    StageVolume,
)

_ENGINE_VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+\Z")
"""What the Docker engine accepts as the name of a volume."""

_BELOW_CODE = f"{CODE}/"

_SEALED = "a stage's volume is read-only for other stages"

_FORMS = (
    "write `STAGE`, `STAGE:/path`, `/host/path:/path`, `./folder:/path` or `volume:/path`; folders and volumes can end in `:ro`"
)

_SOURCE = rf"/[^:]*|\.(?:/[^:]*)?|{_BELOW_CODE}[^:]*|{NAME_SOURCE}"

SCHEMA: Schema = one_or_many(
    scalar(
        rf"{NAME_SOURCE}|{_BELOW_CODE}[^:]*|(?:{_SOURCE}):/[^:]*(?::r[ow])?",
        "write STAGE, STAGE:/path, /host/path:/path, ./folder:/path or volume:/path; folders and volumes can end in :ro",
    )
)
"""What can be written in a `vol`. The schema cannot know whether a name is that of a stage or of the engine's own volume."""


@dataclass(slots=True)
class PlacedMount:
    """A mount, its place, and whether it was inferred from a script.

    For speed, it is not frozen, like the nodes; but it is never changed.
    """

    mount: Mount
    place: Place
    inferred: bool = False


class Mounts:
    """Reads the `vol` of one stage."""

    def __init__(self, stage: StageName, field: Field, names: StageNames) -> None:
        self._stage = stage
        self._field = field
        self._names = names

    def read(self) -> list[PlacedMount]:
        """The mounts in the order written. Two things at one path are an error (DK033); the same thing twice is not."""
        taken: dict[str, PlacedMount] = {}
        for placed in self._entries():
            target = placed.mount.target
            known = taken.setdefault(target, placed)
            if known.mount != placed.mount:
                self._error(
                    Code.MOUNT_TWICE,
                    f"two mounts use the path `{target}`",
                    placed.place,
                    "give one of them another path",
                    Related("the first is here", known.place),
                )
        return list(taken.values())

    def _entries(self) -> Iterator[PlacedMount]:
        for entry, place in texts(self._field):
            mount = self._entry(entry, place)
            if mount is not None and self._is_free(mount, place):
                yield PlacedMount(mount, place)

    def _entry(self, entry: str, place: Place) -> Mount | None:
        source, *rest = entry.split(":")
        if not rest:
            return self._inside(source, place)
        target, mode = rest[0], (rest[1] if len(rest) > 1 else None)
        if len(rest) > 2 or not source or not target.startswith("/") or mode not in {None, "ro", "rw"}:  # noqa: PLR2004  path, mode
            self._not_understood(entry, place, _FORMS)
            return None
        if source in self._names or _is_code(source):
            return self._sealed(source, target, mode, entry, place)
        outside = self._outside(source, entry, place)
        self._warn_of_slip(source, target, place)
        return Mount(outside, normal_path(target), "ro" if mode == "ro" else "rw") if outside else None

    def _sealed(self, source: str, target: str, mode: str | None, entry: str, place: Place) -> Mount | None:
        """A stage's volume or the code, which no stage can change."""
        if mode == "rw":
            why, copied = ("the code is read-only", CODE) if _is_code(source) else (_SEALED, source)
            self._not_understood(entry, place, f"{why}; work in a copy of it with `on: {copied}`")
            return None
        found = self._folder(source, entry, place) if _is_code(source) else StageVolume(source)
        return None if found is None else Mount(found, normal_path(target))

    def _inside(self, name: str, place: Place) -> Mount | None:
        if _is_code(name):
            folder = self._folder(name, name, place)
            return None if folder is None else Mount(folder, normal_path(f"/{CODE}/{folder.folder}"))
        if name in self._names:
            return Mount(StageVolume(name), f"/{name}")
        if self._names.complete:
            hint = self._names.hint(name) or _FORMS
            self._error(Code.UNKNOWN_STAGE, f"mounts the volume of `{name}`, which is not a stage", place, hint)
        return None

    def _folder(self, source: str, entry: str, place: Place) -> CodeSnapshot | None:
        """The code, or a folder of it: `code/app`."""
        folder = posixpath.normpath(source.removeprefix(CODE).lstrip("/"))
        if folder == ".." or folder.startswith("../"):
            self._not_understood(entry, place, "a folder of the code is `code/folder`, below the root")
            return None
        return CodeSnapshot("" if folder == "." else folder)

    def _outside(self, source: str, entry: str, place: Place) -> MountSource | None:
        if source.startswith("/"):
            return HostPath(normal_path(source))
        if source == "." or source.startswith("./"):
            below = posixpath.normpath(source)
            if not (below == ".." or below.startswith("../")):
                return HostPath("./" if below == "." else f"./{below}")
        if source.startswith((".", "~")) or "/" in source:
            self._not_understood(entry, place, "a folder is `/absolute` or `./below/the/root`")
            return None
        if not _ENGINE_VOLUME.match(source):
            if not self._names.complete:
                return None
            self._not_understood(
                entry, place, self._names.hint(source) or f"`{source}` is neither a stage nor a valid volume name"
            )
            return None
        return EngineVolume(source)

    def _warn_of_slip(self, source: str, target: str, place: Place) -> None:
        """Warn of a probable mistake. If there is a stage `build`, `/build:/x` and `biuld:/x` nearly always mean its volume."""
        is_folder = source.startswith("/")
        stage = self._stage_of(source) if is_folder else self._names.slip_of(source)
        if stage is None or stage == self._stage:
            return
        kind = "a folder" if is_folder else "a volume"
        message = f"{self._field.owner}: `{source}` is {kind} on the engine's machine, not the volume of the stage `{stage}`"
        hint = f"did you mean `{stage}:{target}`?"
        if is_folder:
            hint += f" If you mean the folder, write `{source}/:{target}`"
        self._field.findings.warn(Code.NEARLY_A_STAGE, message, place, hint=hint)

    def _stage_of(self, folder: str) -> StageName | None:
        """The stage whose folder in a container has that path. With a `/` at the end, the host's folder is meant."""
        name = folder.split("/")[1]
        return name if name in self._names and not folder.endswith("/") else None

    def _is_free(self, mount: Mount, place: Place) -> bool:
        """Whether a path is free. The stage's own volume and `/out` are fixed; the search for cycles finds self-mounts."""
        target = mount.target
        if mount.source == StageVolume(self._stage) and target == f"/{self._stage}":
            return True
        if target in {"/", f"/{self._stage}", "/out"} or target.startswith("/out/"):
            self._error(Code.MOUNT_TWICE, f"`{target}` is reserved: nothing can be mounted there", place, "choose another path")
            return False
        return True

    def _not_understood(self, entry: str, place: Place, hint: str) -> None:
        self._error(Code.WRONG_MOUNT, f"`vol: {entry}` is not valid", place, hint)

    def _error(self, code: Code, message: str, place: Place, hint: str, *related: Related) -> None:
        joint = " " if code is Code.UNKNOWN_STAGE else ": "
        self._field.findings.error(code, f"{self._field.owner}{joint}{message}", place, hint=hint, related=related)


def _is_code(source: str) -> bool:
    """Whether an entry is the code, or a folder of it."""
    return source == CODE or source.startswith(_BELOW_CODE)
