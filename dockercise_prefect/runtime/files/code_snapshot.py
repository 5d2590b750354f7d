"""The code of a run: which files belong to it, and their tar stream (LANGUAGE section 3, "`code`")."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from dockercise_prefect.archives.tarball import CHUNK, Entry, File, Folder, Link
from dockercise_prefect.errors import EngineError
from dockercise_prefect.git.run import GitMissingError, in_repository, run_git
from dockercise_prefect.globs import Globs

IGNORE_FILE = ".dockerciseignore"

MOST_IGNORED = 1024 * 1024
"""How many bytes of that file are read, at most."""

NAMED = 10
"""How many files an error names, at most."""


def code_entries(root: Path, notify: Callable[[str], None]) -> list[Entry]:
    """The code below a folder, sorted by path, so that every folder comes before what is in it. Root is the owner.

    In a git repository, these are the files that git tracks and the untracked files that it does not ignore, also in
    submodules. Elsewhere, these are all files. `.git` and the files that `.dockerciseignore` excludes are never included. Modes
    and links are kept. The contents are read when the entries are streamed. Nothing is ever written.

    Args:
        root: may be a folder inside a repository.
        notify: called with what is left out because it is not a file: sockets, pipes and devices.

    Raises:
        EngineError: files cannot be read, or git fails.
    """
    root = root.resolve()
    paths = _tracked(root) if is_listed_by_git(root) else _everything(root)
    kept = sorted({path.as_posix() for path in without_ignored(root, paths)})
    return _entries(root, kept, notify)


def is_listed_by_git(root: Path) -> bool:
    """Whether git decides which files belong to the code: the root is in a repository that does not ignore the whole root.

    Raises:
        EngineError: git fails, or is not installed.
    """
    if not in_repository(root):
        return False
    return (root / ".git").exists() or _git(root, "check-ignore", "--quiet", ".", expect=(0, 1)).returncode == 1


def _tracked(repository: Path) -> Iterator[PurePosixPath]:
    listing = _git(repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout
    for name in filter(None, listing.split(b"\0")):
        path = PurePosixPath(os.fsdecode(name))
        real = repository / path
        if real.is_dir() and not real.is_symlink():
            # A submodule, or another repository that nobody added. A submodule that is not checked out is an empty folder.
            if (real / ".git").exists():
                yield from (path / inner for inner in _tracked(real))
        elif os.path.lexists(real):  # tracked, but deleted in the working tree
            yield path


def _everything(root: Path) -> Iterator[PurePosixPath]:
    unreadable: list[str] = []
    for folder, subfolders, files in os.walk(root, onerror=lambda error: unreadable.append(str(error.filename))):
        subfolders[:] = [name for name in subfolders if name != ".git"]
        here = PurePosixPath(Path(folder).relative_to(root))
        yield from (here / name for name in (*subfolders, *files) if name != ".git")
    _refuse_unreadable(os.path.relpath(name, root) for name in unreadable)


def without_ignored(root: Path, paths: Iterable[PurePosixPath]) -> Iterator[PurePosixPath]:
    """The paths that `.dockerciseignore` does not exclude.

    Args:
        root: the real path of the code.
        paths: relative to it.

    Raises:
        EngineError: the file is not valid, or cannot be read.
    """
    lines = _ignore_lines(root)
    if not lines:
        yield from paths
        return
    try:
        ignored = Globs(lines)
    except ValueError as error:
        raise EngineError(f"{IGNORE_FILE} is not valid: {error}", "its lines are patterns as in .gitignore") from error
    for path in paths:
        is_folder = (root / path).is_dir() and not (root / path).is_symlink()
        if not ignored.takes(f"{path}/" if is_folder else str(path)):
            yield path


def _ignore_lines(root: Path) -> list[str]:
    """The lines of the file; no lines if it does not exist. If it is a link that leads out of the root, it is not read."""
    path = Path(os.path.realpath(root / IGNORE_FILE))  # Path.resolve() raises if links form a cycle
    try:
        if not path.exists() or not path.is_relative_to(root):
            return []
        if not path.is_file():  # reading a pipe might never end
            raise EngineError(f"{IGNORE_FILE} is not a file")
        with path.open("rb") as file:
            data = file.read(MOST_IGNORED + 1)
    except OSError as error:
        raise EngineError(f"{IGNORE_FILE} cannot be read: {error.strerror}") from error
    if len(data) > MOST_IGNORED:
        raise EngineError(f"{IGNORE_FILE} has more than {MOST_IGNORED:,} bytes", "name folders in it instead of files")
    return [os.fsdecode(line.removesuffix(b"\r")) for line in data.split(b"\n")]


def _entries(root: Path, paths: Iterable[str], notify: Callable[[str], None]) -> list[Entry]:
    entries: dict[str, Entry] = {}
    unreadable: list[str] = []
    no_files: list[str] = []
    for path in paths:
        for parent in reversed(PurePosixPath(path).parents[:-1]):
            if str(parent) not in entries:
                entries[str(parent)] = _folder(str(parent), (root / parent).stat())
        try:
            entry = _entry(root / path, path)
        except OSError:
            unreadable.append(path)
            continue
        if entry is None:
            no_files.append(path)
        else:
            entries[path] = entry
    if no_files:
        notify(f"left out of the code, because sockets, pipes and devices cannot be copied: {_some_of(no_files)}")
    _refuse_unreadable(unreadable)
    return [entries[path] for path in sorted(entries, key=lambda path: PurePosixPath(path).parts)]


def _entry(real: Path, path: str) -> Entry | None:
    status = real.lstat()
    if stat.S_ISLNK(status.st_mode):
        return Link(path=path, target=str(real.readlink()), mtime=status.st_mtime)
    if stat.S_ISDIR(status.st_mode):
        return _folder(path, status)
    if not stat.S_ISREG(status.st_mode):
        return None
    if not os.access(real, os.R_OK):
        raise PermissionError(path)
    size = status.st_size
    return File(
        path=path,
        size=size,
        content=lambda: _read(real, path, size),
        mode=stat.S_IMODE(status.st_mode),
        mtime=status.st_mtime,
    )


def _folder(path: str, status: os.stat_result) -> Folder:
    return Folder(path=path, mode=stat.S_IMODE(status.st_mode), mtime=status.st_mtime)


def _read(real: Path, path: str, size: int) -> Iterator[bytes]:
    """The file's content, but no more bytes than `size`, so that a log file that grows meanwhile does no harm."""
    try:
        with real.open("rb") as file:
            left = size
            while left and (chunk := file.read(min(left, CHUNK))):
                left -= len(chunk)
                yield chunk
    except OSError as error:
        raise EngineError(f"the code cannot be copied: {path}: {error.strerror}") from error


def _refuse_unreadable(paths: Iterable[str]) -> None:
    named = sorted(paths)
    if named:
        raise EngineError(
            f"the code cannot be copied, because these cannot be read: {_some_of(named)}",
            f"change their permissions, or exclude them with {IGNORE_FILE}",
        )


def _some_of(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"


def _git(folder: Path, *arguments: str, expect: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[bytes]:
    try:
        done = run_git(folder, *arguments)
    except GitMissingError as error:
        raise EngineError("the code is a git repository, but git is not installed to list its files", error.hint) from error
    if done.returncode not in expect:
        said = done.stderr.decode("utf-8", errors="replace").strip()
        raise EngineError(f"git cannot list the code in {folder}: {said}")
    return done
