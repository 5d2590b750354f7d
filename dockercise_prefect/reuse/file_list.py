"""Which files a folder of the code or a volume holds, so that the reason why a stage runs can name the one that changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

_ENTRY = re.compile(rb"([^\0]*)\0((?:[^\0]*\0){5})")
"""An entry of the list of a volume: its path, and five fields that say everything else (docs/digests.md)."""


@dataclass(frozen=True, slots=True)
class FileList:
    """The content of a folder or a volume. A text stands for everything that counts of a path, and differs if that does.

    Attributes:
        files: the text of each file and link.
        folders: the text of each folder; an empty path is the root.
    """

    files: Mapping[str, str]
    folders: Mapping[str, str]


class ChangedFiles(Protocol):
    """Knows which files are not the same, if the lists are still there that digests are of. Must not raise."""

    def in_code(self, folder: str, now: str, then: str) -> str | None:
        """The first file of a folder of the code that is not the same, in words; None if that is not known.

        Args:
            folder: the folder; an empty text is all of the code.
            now: the digest of the folder.
            then: its digest at an earlier time.
        """
        ...

    def in_volume(self, stage: str, now: str, then: str) -> str | None:
        """The same for the volume of a stage."""
        ...


class NoLists:
    """Knows no list (`ChangedFiles`)."""

    def in_code(self, folder: str, now: str, then: str) -> None:
        """See `ChangedFiles`."""

    def in_volume(self, stage: str, now: str, then: str) -> None:
        """See `ChangedFiles`."""


def list_of_code(data: bytes) -> FileList:
    """Read the list of a folder of the code (`runtime.files.code_digests.CodeDigests.listing`).

    Raises:
        ValueError: the bytes are not such a list.
    """
    *lines, end = data.split(b"\n")
    if end:
        raise ValueError("not a list of files: its end is missing")
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for line in lines:
        match json.loads(line):
            case [str() as path, str() as text]:
                (folders if text.startswith("d ") else files)[path] = text
            case _:
                raise ValueError("not a list of files")
    return FileList(files, folders)


def list_of_volume(data: bytes) -> FileList:
    """Read the list of a volume (docs/digests.md).

    Raises:
        ValueError: the bytes are not such a list.
    """
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    place = 0
    while place < len(data):
        entry = _ENTRY.match(data, place)
        if entry is None:
            raise ValueError("not a list of files")
        path, text = (field.decode("utf-8", "surrogateescape") for field in entry.groups())
        (folders if text.startswith("d\0") else files)[path] = text
        place = entry.end()
    return FileList(files, folders)


def changed_file(now: FileList, then: FileList, where: str) -> str | None:
    """The first file that is not the same, in words, and how many others there are; None if there is none.

    Folders are named only if all files are the same.

    Args:
        now: the files.
        then: the same at an earlier time.
        where: of what they are, for example `the code`.
    """
    for kind, new, old in (("file", now.files, then.files), ("folder", now.folders, then.folders)):
        if new != old:
            return _said(kind, new, old, where)
    return None


def _said(kind: str, now: Mapping[str, str], then: Mapping[str, str], where: str) -> str:
    first = min(_changed(now, then), key=lambda path: path.split("/"))
    more = sum(1 for _ in _changed(now, then)) - 1
    what = f"{kind} {shown_path(first)} of {where}" if first else f"the root of {where}"
    how = "is new" if first not in then else "is gone" if first not in now else "changed"
    return f"{what} {how}" + (f", and {more} more" if more else "")


def _changed(now: Mapping[str, str], then: Mapping[str, str]) -> Iterator[str]:
    yield from (path for path, text in now.items() if then.get(path) != text)
    yield from (path for path in then if path not in now)


def shown_path(path: str) -> str:
    """A path as a text that is safe in a terminal and in JSON."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)
