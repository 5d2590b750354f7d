"""Ends runs whose processes died: their records get a summary, and their flow runs get Crashed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from dockercise_prefect.orchestration.crash.prefect_runs import PrefectRuns
from dockercise_prefect.orchestration.crash.records import DeadRecords, lost
from dockercise_prefect.orchestration.crash.unfinished import Fate, UnfinishedRun, fate
from dockercise_prefect.orchestration.prefect.flow_run import address_of
from dockercise_prefect.orchestration.prefect.heartbeat import BEAT_SECONDS
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.upkeep.dead_run import Death
from dockercise_prefect.runtime.cleanup.ownership import Owner, sight

CHANCE_SECONDS = 2 * BEAT_SECONDS + 15
"""How many seconds a silent run has for its next sign of life. Prefect itself may have been away until now."""

OLDEST = 50
"""How many unfinished runs are looked at when a run begins. Runs that died are soon the oldest."""

LOOKS = 5
"""How often silent runs are looked at in this time. If Prefect is away at one of these moments, nothing counts as dead."""

Wait = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Lost:
    """The runs that nobody runs any more, and those of which nothing is known."""

    dead: tuple[UnfinishedRun, ...]
    unknown: tuple[UnfinishedRun, ...]


class Recovery:
    """Finds and ends the runs of dead processes. Two processes may do this at the same time.

    Args:
        runs: the flow runs in Prefect.
        records: ends records.
        observer: this process.
        silence: after how many seconds without a sign of life a process of another machine may be dead.

    Raises:
        httpx.HTTPError, PrefectException: from every method: Prefect does not answer.
    """

    def __init__(self, runs: PrefectRuns, records: DeadRecords, observer: Owner, silence: float) -> None:
        self._runs = runs
        self._records = records
        self._fate = partial(fate, silence=silence, sight=partial(sight, observer=observer))

    def surely_dead(self) -> list[UnfinishedRun]:
        """The runs of this machine whose processes are dead for sure, among the `OLDEST` of all. This is one small request."""
        listing = self._runs.unfinished(most=OLDEST)
        return [run for run in listing.runs if self._fate(run, listing.now) is Fate.DEAD]

    def all_dead(self, wait: Wait, notify: Callable[[str], None]) -> Lost:
        """The runs of all machines whose processes are dead.

        A run of another machine is dead if it was silent for too long, and if it stays silent although it has the chance to
        send a sign of life.

        Args:
            wait: waits for so many seconds.
            notify: called with a message if there are silent runs, since they have to be waited for.
        """
        listing = self._runs.unfinished()
        fates = {run.id: self._fate(run, listing.now) for run in listing.runs}
        silent = [run.id for run in listing.runs if fates[run.id] is Fate.SILENT]
        if silent:
            runs = "1 silent run" if len(silent) == 1 else f"{len(silent)} silent runs"
            notify(f"waiting {CHANCE_SECONDS:g} s for a sign of life of {runs}")
            fates |= dict.fromkeys(silent, Fate.ALIVE)
            fates |= dict.fromkeys(self._still_silent(silent, wait), Fate.DEAD)
        return Lost(
            tuple(run for run in listing.runs if fates[run.id] is Fate.DEAD),
            tuple(run for run in listing.runs if fates[run.id] is Fate.UNKNOWN),
        )

    def _still_silent(self, silent: list[str], wait: Wait) -> list[str]:
        """Those of the silent runs that give no sign of life while Prefect would accept one."""
        for _ in range(LOOKS):
            if silent:
                wait(CHANCE_SECONDS / LOOKS)
                listing = self._runs.unfinished(ids=silent)
                silent = [run.id for run in listing.runs if self._fate(run, listing.now) in {Fate.SILENT, Fate.DEAD}]
        return silent

    def crashed_in_part(self) -> list[UnfinishedRun]:
        """The Crashed flow runs whose task runs look as if they still ran, although their process does not live."""
        listing = self._runs.crashed_in_part()
        return [run for run in listing.runs if self._fate(run, listing.now) in {Fate.DEAD, Fate.SILENT}]

    def end_tasks(self, run: UnfinishedRun) -> None:
        """End the unfinished task runs of such a flow run."""
        self._runs.crash_tasks(run, last_words(run))

    def end(self, run: UnfinishedRun) -> RecordedRun | None:
        """End the record of a dead run, then its flow run, so that what is interrupted here is found again.

        Returns:
            The record that got a summary; None if there is no such record, or if it had one.

        Raises:
            StorageError: the record cannot be read or written. The flow run is set to Crashed nevertheless.
        """
        try:
            record = self._records.of(run)
            death = Death(last_words(run), run.seen, run.id, address_of(run.id))
            ended = record is not None and self._records.end(record, death) is not None
        finally:
            self._runs.crash(run, f"{last_words(run)}; {_again(run)}")
        return record if ended else None


def last_words(run: UnfinishedRun) -> str:
    """What happened to a run, and when its last sign of life came."""
    return f"{lost(run.host)}; the last sign of life was at {run.seen:%Y-%m-%d %H:%M:%S} UTC"


def _again(run: UnfinishedRun) -> str:
    if run.is_deployed:
        return f"Retry in Prefect's UI, or `prefect flow-run retry {run.id}`, runs it again"
    return "`dockercise run` runs it again"
