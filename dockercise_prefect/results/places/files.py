"""Writes files atomically. No other user can read them."""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from dockercise_prefect.errors import StorageError

FOLDER_MODE = 0o700
FILE_MODE = 0o600

_HINTS = {
    errno.ENOSPC: "free disk space there, or choose another place with `--results`",
    errno.EDQUOT: "free disk space there, or choose another place with `--results`",
    errno.EACCES: "check its permissions, or choose another place with `--results`",
    errno.EPERM: "check its permissions, or choose another place with `--results`",
    errno.EROFS: "choose a writable place with `--results`",
    errno.ENOTDIR: "name a folder with `--results`",
    errno.EEXIST: "name a folder with `--results`",
}


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn an error of the system about `path` inside into a `StorageError`."""
    try:
        yield
    except OSError as error:
        raise storage_error(path, error) from error


def storage_error(path: Path, error: OSError) -> StorageError:
    """The error for a `path` that could not be written."""
    return StorageError(f"cannot write {path}: {error.strerror or error}", _HINTS.get(error.errno or 0))


def make_folder(path: Path) -> None:
    """Create the folder and its missing parents. Existing folders keep their mode."""
    for folder in [*reversed(path.parents), path]:
        # `Path.mkdir` does not use its mode for the parents that it creates.
        if not folder.is_dir():
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)


def write_json(path: Path, data: Any) -> None:
    """Write an object as JSON, atomically: the file is never half-written, even if the process is killed.

    Args:
        path: the path of the file. An older file there is replaced.
        data: JSON values.

    Raises:
        OSError: the file cannot be written. No part of it is left, and an older file is unchanged.
    """
    write_whole(path, json_bytes(data))


def json_bytes(data: Any) -> bytes:
    """JSON values as the content of a file. Text that is not valid Unicode (half a surrogate pair) becomes U+FFFD."""
    with suppress(orjson.JSONEncodeError):  # it refuses half a surrogate pair, and a number of over 64 bits
        return orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    text = json.dumps(data, ensure_ascii=False, indent=2) + "\n"
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file atomically. No other user can read it.

    Raises:
        OSError: the file cannot be written. No part of it is left, and an older file is unchanged.
    """
    with whole_file(path) as file:
        file.write(content)


def write_unsynced(path: Path, content: bytes) -> None:
    """The same, but nobody waits for the disk. So if the machine loses power soon after, an empty file can be left.

    Waiting takes milliseconds for each file. Use this for many files whose content can be found elsewhere.

    Raises:
        OSError: see `write_whole`.
    """
    with _new_file(path) as file:
        file.write(content)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a new file for writing. No other user can read it, and it appears only after the body has succeeded.

    If the machine loses power, the file is there with all of its content, or an older one is.

    Raises:
        OSError: the file cannot be written. In this case, and if the body raises, nothing is left and an older file is
            unchanged.
    """
    with _new_file(path) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    # The longest stage name plus `.json` is close to the limit of file systems, so the temporary name is short.
    temporary = f"{path.parent}/.{secrets.token_hex(6)}.tmp"
    number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    try:
        with os.fdopen(number, "wb") as file:
            yield file
        os.replace(temporary, path)  # noqa: PTH105  for thousands of files, paths as texts take half of the time
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
