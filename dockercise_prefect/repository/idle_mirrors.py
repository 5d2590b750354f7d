"""The mirrors of repositories that nobody has used for a long time. The next run of a repository clones it again."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dockercise_prefect.errors import RepositoryError
from dockercise_prefect.repository.file_lock import LockTimeoutError, file_lock


@dataclass(frozen=True, slots=True)
class IdleMirror:
    """A bare mirror, and when it was used last."""

    folder: Path
    used: datetime

    def remove(self) -> None:
        """Remove the mirror, unless a process uses it now.

        Raises:
            RepositoryError: it is used, or it cannot be removed.
        """
        lock = self.folder.with_name(f"{self.folder.name}.lock")
        try:
            with file_lock(lock, 0):
                if _is_checked_out(self.folder):
                    raise RepositoryError(f"{self.folder} is used by a run", "it is removed another time")
                shutil.rmtree(self.folder)
                lock.unlink(missing_ok=True)
        except LockTimeoutError as error:
            raise RepositoryError(f"{self.folder} is used by another process", "it is removed another time") from error
        except OSError as error:
            raise RepositoryError(f"cannot remove {self.folder}: {error.strerror or error}", "check its permissions") from error


def idle_mirrors(folder: Path, before: datetime) -> list[IdleMirror]:
    """The mirrors that were used last before this time.

    Args:
        folder: the folder of all mirrors. It need not exist.
        before: the time.
    """
    found = [IdleMirror(path, _last_use(path)) for path in sorted(folder.glob("*.git")) if path.is_dir()]
    return [mirror for mirror in found if mirror.used < before and not _is_checked_out(mirror.folder)]


def _is_checked_out(mirror: Path) -> bool:
    worktrees = mirror / "worktrees"
    return worktrees.is_dir() and any(worktrees.iterdir())


def _last_use(mirror: Path) -> datetime:
    """When something in the mirror was changed last. Each checkout adds and removes a folder in it."""
    times = [mirror.stat().st_mtime]
    for path in mirror.iterdir():
        with suppress(FileNotFoundError):
            times.append(path.stat().st_mtime)
    return datetime.fromtimestamp(max(times), UTC)
