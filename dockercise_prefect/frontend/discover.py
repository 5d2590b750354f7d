"""Finds the files that make up a pipeline (LANGUAGE section 1)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dockercise_prefect.errors import Place, UsageError
from dockercise_prefect.frontend.findings import Findings, printable
from dockercise_prefect.git.run import GitMissingError, in_repository, run_git
from dockercise_prefect.pipeline import Code

SUFFIXES = (".dockercise.yaml", ".dockercise.yml")

SKIPPED = frozenset({".git", "node_modules"})

MAX_BYTES = 16 * 1024 * 1024
"""The largest file in bytes. A bigger file was not written by hand, and would be held in memory several times."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its printable path relative to the root, with `/`, and its content."""

    path: str
    data: bytes


def read_sources(root: Path, findings: Findings) -> list[Source]:
    """Read every `*.dockercise.yaml` and `*.dockercise.yml` below the root, in path order.

    Left out are `.git`, `node_modules`, what git ignores, and symbolic links that leave the root or are broken. A file that is
    reached by two paths is read once, by the path without links.

    Args:
        root: an existing folder.
        findings: collects files and folders that cannot be read (DK001, DK005), and a failure of git (DK014).

    Raises:
        UsageError: the root is not a folder.
    """
    if not root.is_dir():
        raise UsageError(f"{root} is not a folder", "name the folder that contains the *.dockercise.yaml files")
    walk = _Walk(root, _ignored(root, findings), findings)
    found = sorted(walk.files(), key=lambda path: path.split("/"))
    return [source for path in found if (source := _read(root, path, findings)) is not None]


def ignored_sources(root: Path) -> list[str]:
    """Files of pipelines that are left out because git ignores them, except those in folders that are ignored as a whole."""
    return sorted(shown(path) for path in _ignored(root, Findings()) if path.endswith(SUFFIXES))


class _Walk:
    """Walks the folders below the root, each real folder once: first without links, then through links that stay inside it."""

    def __init__(self, root: Path, ignored: frozenset[str], findings: Findings) -> None:
        self._root = str(root)
        self._real_root = os.path.realpath(root)
        self._ignored = ignored
        self._findings = findings
        self._seen_files: set[str] = set()
        self._seen_folders: set[tuple[int, int]] = set()
        self._links: list[str] = []

    def files(self) -> Iterator[str]:
        """Paths of the pipeline's files relative to the root, in no particular order."""
        yield from self._below("")
        while self._links:
            links, self._links = sorted(self._links), []
            for link in links:
                yield from self._through(link)

    def _below(self, folder: str) -> Iterator[str]:
        waiting = [folder]
        while waiting:
            for path, entry in self._entries(waiting.pop()):
                if entry.is_symlink():
                    self._links.append(path)
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                elif entry.name.endswith(SUFFIXES) and entry.is_file() and self._is_new(path):
                    yield path

    def _entries(self, folder: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        try:
            if not self._is_new_folder(folder):
                return
            with os.scandir(self._full(folder)) as entries:
                for entry in entries:
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.name not in SKIPPED and path not in self._ignored:
                        yield path, entry
        except OSError as error:
            self._findings.error(Code.UNREADABLE, f"this folder cannot be read: {error.strerror}", Place(shown(folder), 1, 1))

    def _through(self, link: str) -> Iterator[str]:
        try:
            real = self._real(link)
        except OSError:  # a link below /proc that only another user may read counts as broken
            return
        if not real.startswith(self._real_root.rstrip("/") + "/"):
            return
        if os.path.isdir(real):  # noqa: PTH112  a real path is text here
            yield from self._below(link)
        elif link.endswith(SUFFIXES) and os.path.isfile(real) and self._is_new(link):  # noqa: PTH113  as above
            yield link

    def _is_new(self, path: str) -> bool:
        real = self._real(path)
        known = real in self._seen_files
        self._seen_files.add(real)
        return not known

    def _is_new_folder(self, path: str) -> bool:
        status = os.stat(self._full(path))  # noqa: PTH116  10,000 folders
        identity = (status.st_dev, status.st_ino)
        known = identity in self._seen_folders
        self._seen_folders.add(identity)
        return not known

    def _real(self, path: str) -> str:
        return os.path.realpath(self._full(path))

    def _full(self, path: str) -> str:
        return os.path.join(self._root, path)  # noqa: PTH118  10,000 folders


def _read(root: Path, path: str, findings: Findings) -> Source | None:
    name = shown(path)
    try:
        with (root / path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        findings.error(Code.UNREADABLE, f"this file cannot be read: {error.strerror}", Place(name, 1, 1))
        return None
    if len(data) > MAX_BYTES:
        findings.error(
            Code.TOO_BIG,
            f"this file has {size:,} bytes, but the limit is {MAX_BYTES:,}",
            Place(name, 1, 1),
            hint="split the pipeline into several files",
        )
        return None
    return Source(name, data)


def _ignored(root: Path, findings: Findings) -> frozenset[str]:
    """What git ignores below the root, as relative paths. A folder that is ignored as a whole stands for everything in it."""
    if not in_repository(root.resolve()):
        return frozenset()
    try:
        done = run_git(root, "ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z")
    except GitMissingError as error:
        return _warn(findings, error.message)
    if done.returncode != 0:
        return _warn(findings, _first_line(done.stderr) or f"git exited with status {done.returncode}")
    return frozenset(path.rstrip("/") for path in os.fsdecode(done.stdout).split("\0"))


def _warn(findings: Findings, why: str) -> frozenset[str]:
    findings.warn(
        Code.GIT_SILENT,
        f"git could not say which files it ignores, so no file is skipped: {why}",
        None,
        hint="`git status` in the root shows what is wrong",
    )
    return frozenset()


def _first_line(output: bytes) -> str:
    return next(iter(output.decode("utf-8", "replace").splitlines()), "")


def shown(path: str) -> str:
    """A path as a text that is safe in a terminal, in JSON and in a comment; the root itself is `.`."""
    return printable(os.fsencode(path).decode("utf-8", "backslashreplace")) or "."
