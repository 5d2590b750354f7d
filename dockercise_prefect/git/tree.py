"""Reads everything that a commit holds below the root, and what its submodules held then."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dockercise_prefect.git.ask import ask_git, unreadable
from dockercise_prefect.git.submodules import Unread, why_unread

_FILES = {b"100644", b"100755"}
_LINK = b"120000"
_SUBMODULE = b"160000"

_LONGEST_TARGET = 4096
"""The most bytes of a link's target. No system accepts a longer path."""


@dataclass(frozen=True, slots=True)
class Blob:
    """The content of a file in a commit.

    Attributes:
        repository: the folder in which to ask git.
        name: git's id of the content.
        size: in bytes.
    """

    repository: Path
    name: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Tree:
    """Files and symbolic links, by their paths relative to the root.

    Attributes:
        links: the targets of the links, as written.
        unread: submodules that could not be read, in path order.
    """

    files: Mapping[str, Blob]
    links: Mapping[str, str]
    unread: Sequence[Unread]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of git's listing; its path is relative to the folder that git was asked in."""

    path: str
    mode: bytes
    name: bytes
    size: bytes


def read_tree(root: Path, commit: str) -> Tree:
    """What a commit of the root's repository held below the root.

    Raises:
        UsageError: git cannot read it.
    """
    files: dict[str, Blob] = {}
    links: dict[str, Blob] = {}
    unread: list[Unread] = []
    waiting = [("", commit)]
    while waiting:
        prefix, listed = waiting.pop()
        folder = root / prefix
        for entry in _entries(folder, listed):
            path = prefix + entry.path
            if entry.mode == _SUBMODULE:
                name = entry.name.decode("ascii")
                why = why_unread(folder, entry.path, name)
                if why is None:
                    waiting.append((f"{path}/", name))
                else:
                    unread.append(Unread(path, why))
            elif entry.mode in _FILES:
                files[path] = Blob(folder, entry.name, int(entry.size))
            elif entry.mode == _LINK and int(entry.size) <= _LONGEST_TARGET:
                links[path] = Blob(folder, entry.name, int(entry.size))
    targets = map(os.fsdecode, contents(list(links.values())))
    return Tree(files, dict(zip(links, targets, strict=True)), sorted(unread, key=lambda left_out: left_out.path))


def submodules_at(folder: Path, tree: str) -> Mapping[str, str]:
    """The submodules that a commit or a tree records below a folder: path relative to it, and commit.

    Raises:
        UsageError: git fails.
    """
    found = {}
    # Sizes are not requested, because git would have to look at every file for them.
    for line in ask_git(folder, "ls-tree", "-r", "-z", tree).split(b"\0"):
        facts, _, path = line.partition(b"\t")
        if facts.startswith(_SUBMODULE):
            found[os.fsdecode(path)] = facts.split()[-1].decode("ascii")
    return found


def contents(blobs: Sequence[Blob]) -> list[bytes]:
    """The contents of blobs, in the same order; each repository is asked once.

    Raises:
        UsageError: git cannot read them.
    """
    held: dict[Blob, bytes] = {}
    for repository in dict.fromkeys(blob.repository for blob in blobs):
        asked = [blob for blob in blobs if blob.repository == repository]
        answer = ask_git(repository, "cat-file", "--batch", given=b"".join(blob.name + b"\n" for blob in asked))
        start = 0
        for blob in asked:
            head, end = answer[start : answer.index(b"\n", start)], answer.index(b"\n", start) + 1
            if head.endswith(b" missing"):
                raise unreadable(f"object {blob.name.decode('ascii')} is missing")
            held[blob] = answer[end : end + blob.size]
            start = end + blob.size + 1
    return [held[blob] for blob in blobs]


def _entries(folder: Path, tree: str) -> Iterator[_Entry]:
    for line in filter(None, ask_git(folder, "ls-tree", "-r", "-z", "-l", tree).split(b"\0")):
        facts, _, path = line.partition(b"\t")
        mode, _, name, size = facts.split()
        yield _Entry(os.fsdecode(path), mode, name, size)
