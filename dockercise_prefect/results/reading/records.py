"""Finds the records of runs by the names that a user gives, in any place."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from dockercise_prefect.errors import UsageError, did_you_mean
from dockercise_prefect.results.cache.paths import CACHE
from dockercise_prefect.results.places.objects import Objects
from dockercise_prefect.results.places.place import shown
from dockercise_prefect.results.reading.recorded_run import RecordedRun

RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}")
"""The name of a run's folder: when the run began, and four digits. Other folders in a place of results are ignored."""

LAST = "last"
"""The name for the newest run."""

NAMED = 4
"""How many runs a message names before it only counts them."""


def pipelines_in(objects: Objects) -> list[str]:
    """The names of the pipelines whose records are in a place, sorted.

    Raises:
        StorageError: the place cannot be read.
    """
    return [name for name in objects.folders("") if name != CACHE]


class Records:
    """All runs whose records are in one place.

    Args:
        objects: the place.
        pipeline: the pipeline of the runs; None for the runs of all pipelines.
        here: returns the pipeline that `last` refers to, if it has runs; None for any pipeline.

    Raises:
        StorageError: from every method: the place cannot be read.
        UsageError: from every method: the pipeline does not exist.
    """

    def __init__(self, objects: Objects, pipeline: str | None = None, here: Callable[[], str | None] = lambda: None) -> None:
        self._objects = objects
        self._pipeline = pipeline
        self._here = here

    @property
    def place(self) -> str:
        """The place of the records, in a form for users."""
        return shown(self._objects.url)

    def runs(self) -> list[RecordedRun]:
        """The runs, newest first."""
        folders = ((name, run) for name in self.pipelines() for run in self._objects.folders(name))
        found = [RecordedRun(self._objects, name, run) for name, run in folders if RUN_ID.fullmatch(run)]
        return sorted(found, key=lambda run: (run.run_id, run.pipeline), reverse=True)

    def pipelines(self) -> list[str]:
        """The pipelines of the runs, sorted by name."""
        names = pipelines_in(self._objects)
        if self._pipeline is None:
            return names
        if self._pipeline not in names:
            meant = did_you_mean(self._pipeline, names)
            hint = f"did you mean `{meant}`?" if meant else "`dockercise runs` lists all runs"
            raise UsageError(f"there is no run of a pipeline `{self._pipeline}` in {self.place}", hint)
        return [self._pipeline]

    def find(self, wanted: str) -> RecordedRun:
        """The run that a user means.

        Args:
            wanted: a run id, the beginning of one, or `last`: the last run of the pipeline here, if it has runs, otherwise
                of any pipeline.

        Raises:
            UsageError: no run, or more than one, matches.
        """
        runs = self.runs()
        if wanted == LAST:
            here = self._here()
            matching = [run for run in runs if run.pipeline == here][:1] or runs[:1]
        else:
            exact = [run for run in runs if run.run_id == wanted]
            matching = exact or [run for run in runs if wanted and run.run_id.startswith(wanted)]
        if len(matching) == 1:
            return matching[0]
        if not matching:
            what = "no run" + (f" of {self._pipeline}" if self._pipeline else "")
            what += "" if wanted == LAST else f" whose id is or begins with `{wanted}`"
            hint = "`dockercise runs` lists all runs" if runs else "`--results` names another place"
            if self._objects.url.startswith("s3:"):
                hint += "; `dockercise results push` sends what the bucket did not accept"
            raise UsageError(f"there is {what} in {self.place}", hint)
        raise UsageError(f"`{wanted}` is ambiguous: it may be any of {_named(matching)}", _how_to_choose(matching))


def _named(runs: Sequence[RecordedRun]) -> str:
    names = ", ".join(run.path for run in runs[:NAMED])
    return names + (f" and {len(runs) - NAMED} more" if len(runs) > NAMED else "")


def _how_to_choose(runs: Sequence[RecordedRun]) -> str:
    if len({run.run_id for run in runs}) == 1:
        return "choose one with `--pipeline`"
    return "write more of the id, or choose with `--pipeline`"
