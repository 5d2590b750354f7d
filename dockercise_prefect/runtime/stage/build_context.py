"""The folder that is built, as a stream: read from a volume through a container that is never started (LANGUAGE section 4).

It is never on a disk of this machine, and never completely in memory.
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
"""How many symbolic links are followed in a row. More links count as a cycle."""


@dataclass(frozen=True, slots=True)
class OpenContext:
    """The files for a build.

    Attributes:
        dockerfile: its text.
        ignore: the text of `.dockerignore`; None if there is no such file.
        stream: the folder's files as a tar, without `.dockerignore` and without the files that it excludes. Can be read once.
    """

    dockerfile: bytes
    ignore: bytes | None
    stream: Iterator[bytes]


def open_context(engine: Engine, container: str, mounted: str, build: Build) -> OpenContext:
    """Find the Dockerfile and `.dockerignore`, and begin to stream the folder.

    Args:
        engine: where the container is.
        container: a container that is never started, with the volume that holds the folder mounted.
        mounted: where the volume is mounted.
        build: which folder and which Dockerfile.

    Raises:
        EngineError: the folder does not exist, or does not have the Dockerfile. The message names what is missing. The stream
            also raises it if the path is not a folder.
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
    """The folder's path, after following symbolic links inside the mount. If it does not exist, the path as it was written."""
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
    """The target of a symbolic link at a path, relative to the same folder and never outside of it."""
    return posixpath.normpath(posixpath.join("/", posixpath.dirname(path), link)).lstrip("/") or "."


def where(build: Build) -> str:
    """The folder that is built, for people."""
    source = "the code" if isinstance(build.context, CodeSnapshot) else f"the volume of {build.context.stage}"
    return source if build.folder == "." else f"`{build.folder}` in {source}"


def _kept(
    engine: Engine, container: str, folder: str, build: Build, ignore: DockerIgnore
) -> Iterator[tuple[TarInfo, Iterable[bytes]]]:
    """The members of the folder that are built, with their paths relative to it."""
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
                # A hard link to a file that is excluded: this member becomes the file.
                stand_ins[target] = path
                for file, data in members(engine.get(container, f"{folder}/{path}")):
                    yield renamed(file, path), data


def _inner(name: str) -> str:
    """A path of an archive, relative to the folder that was archived."""
    return name.strip("/").partition("/")[2]


def _reason(engine: Engine, container: str, folder: str, build: Build, error: EngineError) -> EngineError:
    """Why the Dockerfile could not be read: the folder is missing, or the file, or the engine failed."""
    try:
        found, _ = next(members(engine.get(container, folder)))
    except NoSuchPathError:
        hint = "files that git or `.dockerciseignore` ignores are not part of the code"
        return EngineError(
            f"there is no {where(build)} to build from", hint if isinstance(build.context, CodeSnapshot) else None
        )
    if not found.isdir():
        return _no_folder(build)
    if isinstance(error, NoSuchPathError):
        message = f"there is no Dockerfile `{build.dockerfile}` in {where(build)}"
        return EngineError(message, "use `dockerfile` to name another one")
    return error


def _no_folder(build: Build) -> EngineError:
    return EngineError(f"{where(build)} is not a folder, so nothing can be built from it", "name a folder in `build`")


def _read(engine: Engine, container: str, folder: str, path: str) -> bytes:
    """The content of a file below the folder, after following symbolic links that do not lead out of it.

    Raises:
        NoSuchPathError: there is no such file.
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
    raise EngineError(f"`{path}` is a symbolic link that leads back to itself")
