"""Files that nobody else can read and that appear whole."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from dockercise_prefect.errors import StorageError

FOLDER_MODE = 0o700
FILE_MODE = 0o600

_HINTS = {
    errno.ENOSPC: "free disk space there, or choose another place with `--results`",
    errno.EDQUOT: "free disk space there, or choose another place with `--results`",
    errno.EACCES: "become its owner, or choose another place with `--results`",
    errno.EPERM: "become its owner, or choose another place with `--results`",
    errno.EROFS: "choose a writable place with `--results`",
    errno.ENOTDIR: "name a folder with `--results`",
    errno.EEXIST: "name a folder with `--results`",
}


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Whatever the system says about `path` inside becomes a `StorageError`."""
    try:
        yield
    except OSError as error:
        raise storage_error(path, error) from error


def storage_error(path: Path, error: OSError) -> StorageError:
    """The error that says that `path` could not be written."""
    return StorageError(f"cannot write {path}: {error.strerror or error}", _HINTS.get(error.errno or 0))


def make_folder(path: Path) -> None:
    """Make the folder and those above it that are missing; what is there already keeps its mode."""
    for folder in [*reversed(path.parents), path]:
        # The mode of `Path.mkdir` is not that of the parents it makes.
        if not folder.is_dir():
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)


def write_json(path: Path, data: Any) -> None:
    """Write an object so that a reader, or a process that is killed, never sees half of it.

    Args:
        path: what it is to be called; an older file there is replaced.
        data: JSON values.

    Raises:
        OSError: it cannot be written; nothing is left of it, and an older file is as it was.
    """
    write_whole(path, json_bytes(data))


def json_bytes(data: Any) -> bytes:
    """JSON values as the text of a file. What is no Unicode (half a surrogate pair) becomes U+FFFD."""
    text = json.dumps(data, ensure_ascii=False, indent=2) + "\n"
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that nobody else can read; half of it is never seen.

    Raises:
        OSError: it cannot be written; nothing is left of it, and an older file is as it was.
    """
    with whole_file(path) as file:
        file.write(content)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that nobody else can read, and that nobody sees before the body has ended well.

    Raises:
        OSError: it cannot be written. Then, and whatever the body raises, nothing is left, and an older file is as it was.
    """
    # The longest name of a stage and `.json` is close to what file systems take: the temporary name is short instead.
    number, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            yield file
            file.flush()
            os.fsync(number)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
