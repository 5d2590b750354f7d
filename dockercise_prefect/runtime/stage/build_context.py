"""The folder that is built, as a stream: read from a volume through a container that is never started (LANGUAGE section 4).

Nothing of it is ever on a disk of ours or in our memory as a whole.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from tarfile import TarInfo

from dockercise_prefect.archives.tarball import members, packed, renamed
from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import Build, CodeSnapshot
from dockercise_prefect.runtime.docker.ignore import DockerIgnore
from dockercise_prefect.runtime.engine import Engine, NoSuchPathError

IGNORE_FILE = ".dockerignore"

MOST_LINKS = 16
"""Symbolic links that lead from one to the next before they are taken for a circle."""


@dataclass(frozen=True, slots=True)
class OpenContext:
    """What a build is given.

    Attributes:
        dockerfile: its text.
        ignore: the text of `.dockerignore`, None where there is none.
        stream: the folder's files as a tar, without `.dockerignore` and without what that leaves out; to be read once.
    """

    dockerfile: bytes
    ignore: bytes | None
    stream: Iterator[bytes]


def open_context(engine: Engine, container: str, mounted: str, build: Build) -> OpenContext:
    """Find the Dockerfile and `.dockerignore`, and begin to stream the folder.

    Args:
        engine: where the container is.
        container: never started, with the volume that holds the folder mounted.
        mounted: where.
        build: which folder and which Dockerfile.

    Raises:
        EngineError: there is no such folder, or no such Dockerfile in it; names it. The stream raises it too, where what
            was taken for a folder is none.
    """
    folder = _real(engine, container, mounted, build)
    try:
        dockerfile = _read(engine, container, folder, build.dockerfile)
    except EngineError as error:
        raise _reason(engine, container, folder, build, error) from None
    try:
        ignore = _read(engine, container, folder, IGNORE_FILE)
    except NoSuchPathError:
        ignore = None
    return OpenContext(dockerfile, ignore, packed(_kept(engine, container, folder, build, DockerIgnore(ignore))))


def _real(engine: Engine, container: str, mounted: str, build: Build) -> str:
    """Where the folder is, through symbolic links that stay in what is mounted; as it was written if it is not there."""
    path = build.folder
    for _ in range(MOST_LINKS):
        folder = posixpath.normpath(posixpath.join(mounted, path))
        if path == ".":
            return folder
        try:
            found, _content = next(members(engine.get(container, folder)))
        except NoSuchPathError:
            break
        if not found.issym():
            return folder
        path = _behind(path, found.linkname)
    return posixpath.normpath(posixpath.join(mounted, build.folder))


def _behind(path: str, link: str) -> str:
    """What a symbolic link at a path leads to, seen from the same folder and never out of it."""
    return posixpath.normpath(posixpath.join("/", posixpath.dirname(path), link)).lstrip("/") or "."


def where(build: Build) -> str:
    """The folder that is built, for people."""
    source = "the code" if isinstance(build.context, CodeSnapshot) else f"the volume of {build.context.stage}"
    return source if build.folder == "." else f"`{build.folder}` in {source}"


def _kept(
    engine: Engine, container: str, folder: str, build: Build, ignore: DockerIgnore
) -> Iterator[tuple[TarInfo, Iterable[bytes]]]:
    """The members of the folder that are built, their paths seen from it."""
    stand_ins: dict[str, str] = {}
    for member, content in members(engine.get(container, folder)):
        path = _inner(member.name)
        if path == "":
            if not member.isdir():
                raise _no_folder(build)
        elif path != IGNORE_FILE and not ignore.excludes(path):
            target = _inner(member.linkname) if member.islnk() else ""
            if not target:
                yield renamed(member, path), content
            elif not ignore.excludes(target):
                yield renamed(member, path, target), content
            elif target in stand_ins:
                yield renamed(member, path, stand_ins[target]), content
            else:
                # A hard link to what is left out: this is the file now.
                stand_ins[target] = path
                for file, data in members(engine.get(container, f"{folder}/{path}")):
                    yield renamed(file, path), data


def _inner(name: str) -> str:
    """A path of an archive as seen from the folder that the archive is of."""
    return name.strip("/").partition("/")[2]


def _reason(engine: Engine, container: str, folder: str, build: Build, error: EngineError) -> EngineError:
    """Why the Dockerfile could not be read: the folder is to blame, or the file, or the engine."""
    try:
        found, _ = next(members(engine.get(container, folder)))
    except NoSuchPathError:
        hint = "a file that git ignores, or `.dockerciseignore` names, is not part of the code"
        return EngineError(
            f"there is no {where(build)} to build from", hint if isinstance(build.context, CodeSnapshot) else None
        )
    if not found.isdir():
        return _no_folder(build)
    if isinstance(error, NoSuchPathError):
        return EngineError(f"there is no Dockerfile `{build.dockerfile}` in {where(build)}", "`dockerfile` names another one")
    return error


def _no_folder(build: Build) -> EngineError:
    return EngineError(f"{where(build)} is not a folder, so nothing can be built from it", "name a folder in `build`")


def _read(engine: Engine, container: str, folder: str, path: str) -> bytes:
    """A file below the folder, through symbolic links that do not lead out of it.

    Raises:
        NoSuchPathError: there is none.
    """
    for _ in range(MOST_LINKS):
        whole = posixpath.join(folder, path)
        archive = members(engine.get(container, whole))
        member, content = next(archive)
        if member.isreg():
            return b"".join(content)
        if not member.issym():
            raise EngineError(f"`{path}` is not a file", "a build reads it")
        path = _behind(path, member.linkname)
    raise EngineError(f"`{path}` is a symbolic link that leads in a circle")
