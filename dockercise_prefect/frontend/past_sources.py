"""A pipeline's files as they were in a commit."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dockercise_prefect.errors import DefinitionError, Place
from dockercise_prefect.frontend.discover import MAX_BYTES, SKIPPED, SUFFIXES, Source, shown
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.git.ask import Revision
from dockercise_prefect.git.submodules import Unread
from dockercise_prefect.git.tree import Blob, Tree, contents, read_tree
from dockercise_prefect.pipeline import Code

_MAX_LINKS = 40
"""The most symbolic links that are followed one after the other; the limit is that of Linux."""


@dataclass(frozen=True, slots=True)
class PastSources:
    """The files, in path order, and the submodules that could not be read."""

    sources: Sequence[Source]
    unread: Sequence[Unread]


def sources_at(root: Path, revision: Revision) -> PastSources:
    """The pipeline's files below the root as they were in a commit, and in the commits of its submodules.

    The rules are those of `read_sources`: links that stay inside the root are followed. A file that is reached by two paths is
    read once, by the path without links.

    Raises:
        DefinitionError: files are too big (DK005).
        UsageError: git cannot read them.
    """
    findings = Findings()
    tree = read_tree(root, revision.commit)
    found = sorted(_Walk(root, tree).files(), key=lambda file: file[0].split("/"))
    for path, blob in found:
        if blob.size > MAX_BYTES:
            findings.error(Code.TOO_BIG, f"this file had {blob.size:,} bytes", Place(shown(path), 1, 1))
    if findings.failed:
        raise DefinitionError(findings.in_order())
    held = contents([blob for _, blob in found])
    return PastSources([Source(shown(path), data) for (path, _), data in zip(found, held, strict=True)], tree.unread)


class _Walk:
    """Walks the folders of a tree, each real folder once: first without links, then through links that stay inside the root."""

    def __init__(self, root: Path, tree: Tree) -> None:
        self._root = _names(os.path.realpath(root))
        self._tree = tree
        self._folders = _folders(tree)
        self._seen: set[str] = set()
        self._links: list[tuple[str, str]] = []

    def files(self) -> Iterator[tuple[str, Blob]]:
        """Paths of the pipeline's files relative to the root, and their content, in no particular order."""
        yield from self._below("", "")
        while self._links:
            links, self._links = sorted(self._links), []
            for path, link in links:
                yield from self._through(path, link)

    def _below(self, start: str, real_start: str) -> Iterator[tuple[str, Blob]]:
        """Files below a folder, given by the path by which it was reached and by its path without links."""
        waiting = [(start, real_start)]
        while waiting:
            folder, real_folder = waiting.pop()
            if not self._is_new(real_folder):
                continue
            for name in self._folders[real_folder] - SKIPPED:
                path, real = _joined(folder, name), _joined(real_folder, name)
                if real in self._tree.links:
                    self._links.append((path, real))
                elif real in self._folders:
                    waiting.append((path, real))
                else:
                    yield from self._file(path, real)

    def _through(self, path: str, link: str) -> Iterator[tuple[str, Blob]]:
        real = self._real(link)
        if real in self._folders:
            yield from self._below(path, real)
        elif real is not None:
            yield from self._file(path, real)

    def _file(self, path: str, real: str) -> Iterator[tuple[str, Blob]]:
        if path.endswith(SUFFIXES) and real in self._tree.files and self._is_new(real):
            yield path, self._tree.files[real]

    def _is_new(self, real: str) -> bool:
        known = real in self._seen
        self._seen.add(real)
        return not known

    def _real(self, link: str) -> str | None:
        """The path without links that a link leads to, relative to the root; None if it leads out, or in a cycle."""
        inside = len(self._root)
        done, waiting, followed = list(self._root), link.split("/")[::-1], 0
        while waiting:
            name = waiting.pop()
            if name == "..":
                del done[-1:]
                continue
            done.append(name)
            target = self._tree.links.get("/".join(done[inside:])) if done[:inside] == self._root else None
            if target is None:
                continue
            followed += 1
            if followed > _MAX_LINKS:
                return None
            done = [] if target.startswith("/") else done[:-1]
            waiting.extend(reversed(_names(target)))
        return "/".join(done[inside:]) if done[:inside] == self._root and len(done) > inside else None


def _folders(tree: Tree) -> dict[str, set[str]]:
    """Each folder, and the names in it."""
    folders: dict[str, set[str]] = {"": set()}
    for path in (*tree.files, *tree.links):
        folder, _, name = path.rpartition("/")
        while folder not in folders:
            folders[folder] = {name}
            folder, _, name = folder.rpartition("/")
        folders[folder].add(name)
    return folders


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in {"", "."}]
