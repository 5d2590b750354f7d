"""Work in steps on remote systems: if a step fails, the steps before it are undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dockercise_prefect.errors import DockerciseError


class Undo:
    """What to take back should the rest fail.

    Args:
        tell: is told of each thing that was taken back, and of each that could not be.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._steps: list[tuple[str, Callable[[], object] | None]] = []

    def later(self, what: str, action: Callable[[], object]) -> None:
        """Remember a step back.

        Said before the step itself is made, since one that fails may have been made all the same: its answer was lost.

        Args:
            what: was made.
            action: takes it back, and does no harm where there is nothing to take back; returns False when there was nothing.
        """
        self._steps.append((what, action))

    def cannot(self, what: str) -> None:
        """Remember what stays when the rest is taken back, as a sentence."""
        self._steps.append((what, None))

    def run(self) -> None:
        """Take everything back, the newest first, as far as it goes."""
        while self._steps:
            what, action = self._steps.pop()
            if action is None:
                self._tell(f"NOT undone: {what}")
                continue
            try:
                done = action()
            except DockerciseError as error:
                self._tell(f"NOT undone: {what}: {error.message}")
            else:
                if done is not False:
                    self._tell(f"undone: {what}")


@contextmanager
def undone_on_failure(tell: Callable[[str], None]) -> Iterator[Undo]:
    """Inside, whatever ends the steps early takes back those that were made; the error then goes on."""
    undo = Undo(tell)
    try:
        yield undo
    except BaseException:  # Ctrl-C too
        undo.run()
        raise
