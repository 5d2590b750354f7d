"""What `watch` says between its rounds."""

from __future__ import annotations

from collections.abc import Sequence

from dockercise_prefect.compiler.plan import compare
from dockercise_prefect.frontend.discover import shown
from dockercise_prefect.pipeline import Pipeline
from dockercise_prefect.pipeline.touched import SeenFiles

WAITING = "waiting for changes (Ctrl-C ends)"

NAMED = 3
"""How many files or stages are named."""


def what_changed(paths: Sequence[str]) -> str:
    """`src/main.go and 2 more changed`."""
    return f"{some_of([shown(path) for path in paths])} changed"


def what_runs(paths: Sequence[str], before: Pipeline | None, now: Pipeline) -> str:
    """One line for a change: what changed, and which stages run because of it.

    Stages that get what these stages leave are not named, because they run only if that is something else than before.

    Args:
        paths: the files that changed, relative to the root.
        before: the stages of the round before, if they are known.
        now: the stages of the next round.
    """
    difference = compare(before or now, now)
    different = {*difference.added, *difference.changed, *SeenFiles(now).stages(paths)}
    names = [stage.name for stage in now if stage.name in different]
    return f"{what_changed(paths)}: " + (f"runs {some_of(names)}" if names else "no stage is different")


def some_of(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    named = ", ".join(names[:NAMED])
    return named if len(names) <= NAMED else f"{named} and {len(names) - NAMED} more"
