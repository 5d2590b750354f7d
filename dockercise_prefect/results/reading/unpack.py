"""Unpacks the archive of a volume to files, only below one folder.

The archive may be hostile: it came from a bucket, and its stage may have run any program. So its paths are not trusted: each
path is opened part by part from the folder's own descriptor, and never through a symbolic link. (Debian 12's Python 3.11.2
does not have Python's own filters for this.)
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tarfile import TarInfo

from dockercise_prefect.errors import StorageError, UsageError
from dockercise_prefect.results.places.files import FOLDER_MODE

Members = Iterable[tuple[TarInfo, Iterable[bytes]]]
_Parts = tuple[bytes, ...]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NANOSECONDS = 1_000_000_000


class WrongArchiveError(ValueError):
    """An engine does not make such an archive of a volume: it is hostile or damaged."""


def unpack(members: Members, volume: str, folder: Path) -> list[str]:
    """Write the files of a volume. If anything fails, none of them is left.

    Modes, links and times are kept. If root unpacks, owners are kept, by number. Otherwise the user owns all files, and set-id
    bits are dropped. The mode, owner and time of the volume's root are not used for the folder. Devices, pipes and similar
    entries are left out.

    Args:
        members: the members of the archive, in its order.
        volume: the name that all paths begin with.
        folder: a new or empty folder.

    Returns:
        The paths of the entries that were left out.

    Raises:
        UsageError: the folder is not empty, or the path is not a folder.
        WrongArchiveError: a path leads out of the folder, leads through something that is not a folder, or occurs twice.
        StorageError: the files cannot be written.
    """
    with _all_or_nothing(folder):
        root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with closing(_Unpacking(root, volume)) as unpacking:
                return unpacking.run(members)
        except WrongArchiveError:
            raise
        except (OverflowError, ValueError) as error:  # a time or an owner out of range, or a NUL in a name
            raise WrongArchiveError(f"an entry cannot be written as a file ({error})") from error
        finally:
            os.close(root)


@contextmanager
def _all_or_nothing(folder: Path) -> Iterator[None]:
    """If the body fails, restore the folder: it is empty, or does not exist."""
    try:
        made = _ready(folder)
        try:
            yield
        except BaseException:
            _empty(folder)
            if made:
                folder.rmdir()
            raise
    except OSError as error:
        hint = "name a folder that you can write to and that has enough free space"
        raise StorageError(f"cannot write to {folder}: {error.strerror or error}", hint) from error


def _ready(folder: Path) -> bool:
    """Create the folder, private, if it does not exist. Return whether it was created."""
    try:
        if any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty", "name a folder that is new or empty")
    except FileNotFoundError:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=FOLDER_MODE)
        return True
    except NotADirectoryError:
        raise UsageError(f"{folder} is not a folder", "name a folder that is new or empty") from None
    return False


def _empty(folder: Path) -> None:
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(FOLDER_MODE)  # its mode may forbid to remove anything from it
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


class _Unpacking:
    """Unpacks one archive into the folder that is open as `root`."""

    def __init__(self, root: int, volume: str) -> None:
        self._root = root
        self._volume = os.fsencode(volume)
        self._owners = os.geteuid() == 0
        self._modes = 0o7777 if self._owners else 0o777
        self._folders: dict[_Parts, TarInfo] = {}
        self._parts: _Parts = ()
        self._folder = os.dup(root)

    def close(self) -> None:
        """Close the open folder."""
        os.close(self._folder)

    def run(self, members: Members) -> list[str]:
        """Write all members. Return the paths of the entries that were left out."""
        left_out = []
        for member, content in members:
            parts = self._below(member.name)
            if member.isdir():
                self._open(parts)
                self._folders[parts] = member
            elif not parts:
                raise WrongArchiveError(f"{member.name!r} is the volume itself, but not a folder")
            elif member.isreg() or member.issym() or member.islnk():
                self._add(member, content, parts[-1], self._open(parts[:-1]))
            else:
                left_out.append(member.name)
        self._folders.pop((), None)
        # Innermost folders first, after everything is written: a folder may be read-only, and its time must stay.
        for parts, member in sorted(self._folders.items(), reverse=True):
            self._describe(self._open(parts), member)
        return left_out

    def _below(self, name: str) -> _Parts:
        """The path of a member below the folder."""
        path = name.encode("utf-8", "surrogateescape")
        parts = [part for part in path.split(b"/") if part not in {b"", b"."}]
        if path.startswith(b"/") or b".." in parts or parts[:1] != [self._volume]:
            raise WrongArchiveError(f"{name!r} is outside the folder")
        return tuple(parts[1:])

    def _open(self, parts: _Parts) -> int:
        """Open a folder below the root, and create it if it does not exist. It stays open until another one is needed."""
        if parts != self._parts:
            folder = self._walk(parts)
            os.close(self._folder)
            self._folder, self._parts = folder, parts
        return self._folder

    def _walk(self, parts: _Parts) -> int:
        folder = os.dup(self._root)
        for part in parts:
            try:
                inner = self._inner(folder, part)
            finally:
                os.close(folder)
            folder = inner
        return folder

    @staticmethod
    def _inner(folder: int, part: bytes) -> int:
        try:
            try:
                return os.open(part, _FOLDER, dir_fd=folder)
            except FileNotFoundError:
                os.mkdir(part, FOLDER_MODE, dir_fd=folder)
                return os.open(part, _FOLDER, dir_fd=folder)
        except OSError as error:
            if error.errno in {errno.ENOTDIR, errno.ELOOP}:
                raise WrongArchiveError(f"a path leads through {os.fsdecode(part)!r}, which is not a folder") from error
            raise

    def _add(self, member: TarInfo, content: Iterable[bytes], name: bytes, parent: int) -> None:
        try:
            if member.isreg():
                self._add_file(member, content, name, parent)
            elif member.issym():
                os.symlink(member.linkname.encode("utf-8", "surrogateescape"), name, dir_fd=parent)
                if self._owners:
                    os.chown(name, member.uid, member.gid, dir_fd=parent, follow_symlinks=False)
                os.utime(name, ns=_times(member), dir_fd=parent, follow_symlinks=False)
            else:
                self._add_hard_link(member, name, parent)
        except FileExistsError as error:
            raise WrongArchiveError(f"{member.name!r} appears twice") from error

    def _add_file(self, member: TarInfo, content: Iterable[bytes], name: bytes, parent: int) -> None:
        file = os.open(name, _NEW_FILE, 0o600, dir_fd=parent)
        try:
            for chunk in content:
                left = memoryview(chunk)
                while left:
                    left = left[os.write(file, left) :]
            self._describe(file, member)
        finally:
            os.close(file)

    def _add_hard_link(self, member: TarInfo, name: bytes, parent: int) -> None:
        *folders, origin = self._below(member.linkname) or (b".",)
        source = self._walk(tuple(folders))
        try:
            os.link(origin, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        except (FileNotFoundError, PermissionError) as error:
            raise WrongArchiveError(f"{member.name!r} is a hard link to {member.linkname!r}, which is not a file") from error
        finally:
            os.close(source)

    def _describe(self, descriptor: int, member: TarInfo) -> None:
        """Set the owner, mode and time of an open file. The mode after the owner, because a new owner drops set-id bits."""
        if self._owners:
            os.fchown(descriptor, member.uid, member.gid)
        os.fchmod(descriptor, member.mode & self._modes)
        os.utime(descriptor, ns=_times(member))


def _times(member: TarInfo) -> tuple[int, int]:
    time = int(member.mtime * _NANOSECONDS)
    return time, time
