"""The history of git in the code of a run, as the entries of its `.git` (LANGUAGE section 7, `meta.code`)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from dockercise_prefect.archives.tarball import CHUNK, Entry, File, Folder
from dockercise_prefect.git.history import leave_out, write_history
from dockercise_prefect.pipeline import CodeHistory

VARIABLES = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
"""The variables that let git read the code, whoever runs it. Otherwise it refuses files that belong to another user."""

GIT = ".git"


@contextmanager
def history_entries(root: Path, history: CodeHistory, code: Collection[str]) -> Iterator[list[Entry]]:
    """The `.git` of the code, sorted by path. The entries can be streamed while the body runs.

    HEAD is the root's commit, on its branch. The index is that commit too, so git shows what is not committed.

    Args:
        root: the folder that the code is taken from.
        history: how much of the history there is.
        code: the paths of the code's files and folders.

    Raises:
        UsageError: the root is not a git repository with a commit, or git fails.
    """
    with TemporaryDirectory(prefix="dockercise-") as folder:
        work = Path(folder)
        write_history(root.resolve(), work, history.depth)
        leave_out(work, code, root.resolve())
        yield [_entry(path, work) for path in sorted([work / GIT, *(work / GIT).rglob("*")])]


def _entry(real: Path, work: Path) -> Entry:
    path, status = real.relative_to(work).as_posix(), real.stat()
    if real.is_dir():
        return Folder(path=path, mtime=status.st_mtime)
    return File(path=path, size=status.st_size, content=partial(_read, real), mtime=status.st_mtime)


def _read(real: Path) -> Iterator[bytes]:
    with real.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
