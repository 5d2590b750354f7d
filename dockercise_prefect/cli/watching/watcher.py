"""Says which paths change below a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from watchfiles import Change, watch

from dockercise_prefect.errors import DockerciseError, EngineError

QUIET = 200
"""Milliseconds without another change, after which changes are reported. Editors and git write several files at once."""

LONGEST = 2_000
"""Milliseconds after which changes are reported, although there are more."""

READY = 250
"""Milliseconds after which the watcher says that it watches."""


@contextmanager
def watching(folder: Path, changed: Callable[[set[str]], None], failed: Callable[[DockerciseError], None]) -> Iterator[None]:
    """Inside, changes are reported. When it is entered, the folder is being watched.

    Args:
        folder: a real path.
        changed: called with the absolute paths of files and folders that changed, are new, or are gone, in another thread.
        failed: called if the folder cannot be watched any more, in that thread.

    Raises:
        EngineError: the folder cannot be watched.
    """
    ready, stop = Event(), Event()
    early: list[DockerciseError] = []

    def look() -> None:
        try:
            for changes in watch(
                folder,
                watch_filter=_counts,
                debounce=LONGEST,
                step=QUIET,
                stop_event=stop,
                rust_timeout=READY,
                yield_on_timeout=True,
                raise_interrupt=False,
            ):
                ready.set()
                if paths := changed_paths(changes):
                    changed(paths)
        except (OSError, RuntimeError) as error:  # the library's own errors are RuntimeErrors
            if not ready.is_set():
                early.append(_cannot_watch(folder, error))
            else:
                failed(_cannot_watch(folder, error))
        finally:
            ready.set()

    thread = Thread(target=look, daemon=True)
    thread.start()
    try:
        ready.wait()
        if early:
            raise early[0]
        yield
    finally:
        stop.set()
        thread.join()


def changed_paths(changes: Iterable[tuple[Change, str]]) -> set[str]:
    """The paths of changes, without files that were made and removed again: editors replace a file in this way."""
    found = list(changes)
    made = {path for change, path in found if change is Change.added and not os.path.lexists(path)}
    return {path for _, path in found} - made


def _counts(change: Change, path: str) -> bool:
    """Whether a change counts. A folder changes with each file in it, which is reported too."""
    return change is not Change.modified or not Path(path).is_dir()


def _cannot_watch(folder: Path, error: Exception) -> EngineError:
    if isinstance(error, PermissionError):
        hint = "let your user read every folder in it, or move the others out of it"
    else:
        hint = (
            "if these are too many folders for the system, raise fs.inotify.max_user_watches, or set WATCHFILES_FORCE_POLLING=1"
        )
    return EngineError(f"{folder} cannot be watched: {error}", hint)
