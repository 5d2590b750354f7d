"""Which files a folder of the code or a volume holds, so that the reason why a stage runs can name the one that changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

FIELDS = 6
"""How many fields an entry of the list of a volume has (docs/digests.md)."""


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
        ValueError: this is no such list.
    """
    entries = json.loads(data)
    if not isinstance(entries, list):
        raise ValueError("not a list")  # noqa: TRY004  as for other JSON values
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path, text in entries:
        (folders if str(text).startswith("d ") else files)[path] = text
    return FileList(files, folders)


def list_of_volume(data: bytes) -> FileList:
    """Read the list of a volume (docs/digests.md).

    Raises:
        ValueError: this is no such list.
    """
    fields = data.split(b"\0")
    if len(fields) % FIELDS != 1 or fields[-1]:
        raise ValueError("not a list of files")
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for start in range(0, len(fields) - 1, FIELDS):
        path, *rest = (field.decode("utf-8", "surrogateescape") for field in fields[start : start + FIELDS])
        (folders if rest[0] == "d" else files)[path] = " ".join(rest)
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
        paths = sorted(_changed(new, old), key=lambda path: path.split("/"))
        if paths:
            return _said(kind, paths, new, old, where)
    return None


def _said(kind: str, paths: list[str], now: Mapping[str, str], then: Mapping[str, str], where: str) -> str:
    first = paths[0]
    what = f"{kind} {shown_path(first)} of {where}" if first else f"the root of {where}"
    how = "is new" if first not in then else "is gone" if first not in now else "changed"
    return f"{what} {how}" + (f", and {len(paths) - 1} more" if len(paths) > 1 else "")


def _changed(now: Mapping[str, str], then: Mapping[str, str]) -> Iterator[str]:
    yield from (path for path, text in now.items() if then.get(path) != text)
    yield from (path for path in then if path not in now)


def shown_path(path: str) -> str:
    """A path as a text that is safe in a terminal and in JSON."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)
