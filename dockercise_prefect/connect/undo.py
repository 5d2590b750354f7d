"""Work in steps on remote systems: if a step fails, the steps before it are undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dockercise_prefect.errors import DockerciseError


class Undo:
    """The steps to undo if a later step fails.

    Args:
        tell: called with a line for each thing that was undone, and for each that could not be undone.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._steps: list[tuple[str, Callable[[], object] | None]] = []

    def later(self, what: str, action: Callable[[], object]) -> None:
        """Remember how to undo a step.

        Call this before the step itself: a step that fails may have been done all the same, if only its answer was lost.

        Args:
            what: what the step makes.
            action: undoes the step. It does no harm if there is nothing to undo, and then returns False.
        """
        self._steps.append((what, action))

    def cannot(self, what: str) -> None:
        """Remember, as a sentence, what stays when the other steps are undone."""
        self._steps.append((what, None))

    def run(self) -> None:
        """Undo all steps as far as possible, the newest first."""
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
    """If the body ends with an error, undo the steps that were made, and raise the error again."""
    undo = Undo(tell)
    try:
        yield undo
    except BaseException:  # Ctrl-C too
        undo.run()
        raise
