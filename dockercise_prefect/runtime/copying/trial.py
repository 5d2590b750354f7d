"""Tries whether an engine can copy a volume by an overlay, without starting a container.

Engines that accept the options may still do something else: mount the volume only for containers that run, leave out what the
file system of their volumes does not have, or lose hard links. So a volume is copied and changed, and the copy is compared with
what must be in it.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Final, NamedTuple

from dockercise_prefect.archives.tarball import members, packed
from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.copying.changes import empty_changes
from dockercise_prefect.runtime.engine import ContainerMount, Engine, EngineLostError
from dockercise_prefect.runtime.files.volumes import Volumes
from dockercise_prefect.runtime.overlay import FOLDERS, WRITABLE_FOR_ALL, Overlay

_FOLDER: Final = "trial"


class _Thing(NamedTuple):
    """What is at a path."""

    kind: bytes
    mode: int
    content: bytes = b""
    link: str = ""


_ORIGIN: Final[Mapping[str, _Thing]] = {
    "folder": _Thing(tarfile.DIRTYPE, 0o750),
    "folder/file": _Thing(tarfile.REGTYPE, 0o640, b"in the folder"),
    "gone": _Thing(tarfile.DIRTYPE, 0o755),
    "gone/file": _Thing(tarfile.REGTYPE, 0o644, b"gone"),
    "one": _Thing(tarfile.REGTYPE, 0o755, b"one"),
    "second": _Thing(tarfile.LNKTYPE, 0o755, link="one"),
}

_CHANGES: Final[Mapping[str, _Thing]] = {
    "folder/new": _Thing(tarfile.REGTYPE, 0o600, b"new"),
    "gone": _Thing(tarfile.REGTYPE, 0o644, b"a file in place of the folder"),
    # A new name for a file makes the overlay copy the file. Its other names must stay the same file.
    "third": _Thing(tarfile.LNKTYPE, 0o755, link="one"),
}

_EXPECTED: Final[Mapping[str, _Thing]] = {
    "": _Thing(tarfile.DIRTYPE, WRITABLE_FOR_ALL.mode),
    **{path: thing for path, thing in _ORIGIN.items() if path != "gone/file"},
    **_CHANGES,
}


def trouble_with_overlays(engine: Engine, volumes: Volumes, image: str) -> str | None:
    """Why the engine cannot copy volumes by overlays; None if it can.

    The volumes of the trial are left until the end of the run.

    Args:
        engine: the engine.
        volumes: of the run.
        image: the id of any image on the engine.

    Raises:
        EngineError: the engine does not answer, or the trial could not begin.
    """
    overlay = Overlay(
        origin=volumes.filled("trial", image, _packed(_ORIGIN)),
        changes=empty_changes(volumes, image),
        folder=FOLDERS[WRITABLE_FOR_ALL],
    )
    try:
        found = _changed_copy(engine, volumes, image, overlay)
    except EngineLostError:
        raise
    except EngineError as error:
        return error.message
    except tarfile.TarError as error:
        return f"a copy by an overlay came back as a damaged archive: {error}"
    wrong = sorted(path for path in {*found, *_EXPECTED} if found.get(path) != _EXPECTED.get(path))
    return f"a copy by an overlay differs in {', '.join(path or 'its root' for path in wrong)}" if wrong else None


def _changed_copy(engine: Engine, volumes: Volumes, image: str, overlay: Overlay) -> dict[str, _Thing]:
    copy = volumes.overlaid_for_trial(overlay)
    with volumes.reader(image, ContainerMount("volume", copy, f"/{_FOLDER}", read_only=False)) as container:
        engine.put(container, f"/{_FOLDER}", _packed(_CHANGES))
        with closing(engine.get(container, f"/{_FOLDER}")) as archive:
            return dict(_things(archive))


def _packed(things: Mapping[str, _Thing]) -> Iterator[bytes]:
    return packed((_member(path, thing), [thing.content]) for path, thing in things.items())


def _member(path: str, thing: _Thing) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.type, member.mode, member.size, member.linkname = thing.kind, thing.mode, len(thing.content), thing.link
    return member


def _things(archive: Iterable[bytes]) -> Iterator[tuple[str, _Thing]]:
    for member, content in members(archive):
        data = b"".join(content)
        yield _inside(member.name), _Thing(member.type, member.mode & 0o7777, data, _inside(member.linkname))


def _inside(path: str) -> str:
    return path.removeprefix(_FOLDER).strip("/")
