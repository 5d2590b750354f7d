"""Watches the host's work, reports it, and lets the host sleep when nothing is left to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from dockercise_prefect.aws.report import LastPush, Phase, Report, RepositoryState
from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.host.facts import Survey
from dockercise_prefect.host.reporter import Reporter
from dockercise_prefect.host.work import Sleep, Stay, decide, wake_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the watcher uses.

    Attributes:
        survey: finds out what there is to do.
        drain_held: inside, no push is taken from the queue.
        taken: how many pushes were taken from the queue.
        last_push: the last one of them.
        repositories: the state of each repository.
        save_wake_at: stores when the host must be awake for a schedule; raises `StorageError`.
        power_off: lets the machine power itself off; raises `MachineError`.
        end_drain: from here on, no push is taken any more.
        clock: the time in seconds since 1970.
        say: called with a line for each change.
    """

    survey: Callable[[], Survey]
    drain_held: Callable[[], AbstractContextManager[None]]
    taken: Callable[[], int]
    last_push: Callable[[], LastPush | None]
    repositories: Callable[[], Mapping[str, RepositoryState]]
    save_wake_at: Callable[[int | None], None]
    power_off: Callable[[], None]
    end_drain: Callable[[], None]
    clock: Callable[[], int]
    say: Callable[[str], None]


class Watcher:
    """Looks, reports and decides, step by step.

    Args:
        ports: what it uses.
        reporter: writes the report.
        start: the report of the moment at which the process was started: its package, what is wrong, when work got ahead last.
        idle_seconds: for how long the host stays awake without work.
    """

    def __init__(self, ports: Ports, reporter: Reporter, start: Report, idle_seconds: int) -> None:
        self._ports = ports
        self._reporter = reporter
        self._report = start
        self._idle_seconds = idle_seconds
        self._idle_since: int | None = None
        self._progress: object = None
        self._wake_at: tuple[int | None] | None = None
        self.is_over = False

    def step(self) -> None:
        """Look once, and report. If nothing is left to do for long enough, power the machine off, and set `is_over`.

        Raises:
            DockerciseError: AWS does not answer, or the machine cannot be powered off. The next step tries again.
        """
        survey, decision = self._look()
        if isinstance(decision, Stay):
            self._stay(survey, decision)
            return
        with self._ports.drain_held():  # otherwise a push could be taken from the queue between the last look and the end
            survey, decision = self._look()
            if isinstance(decision, Stay):
                self._stay(survey, decision)
                return
            self._keep_wake_at(decision.wake_at)
            self._reporter.tell_now(self._reported(survey, Phase.STOPPING, ()))
            self._ports.say("nothing is left to do: the host goes to sleep")
            self._ports.power_off()
            # The machine ends seconds later. A push that it took until then would be on its disk only, and wake nobody.
            self._ports.end_drain()
            self.is_over = True

    def _look(self) -> tuple[Survey, Stay | Sleep]:
        survey = self._ports.survey()
        progress = (survey.progress, self._ports.taken(), survey.facts.queued)
        before, self._progress = self._progress, progress
        if before not in (None, progress):
            self._report = replace(self._report, worked_at=self._ports.clock())
        decision = decide(survey.facts, self._idle_since, self._idle_seconds)
        self._idle_since = decision.idle_since if isinstance(decision, Stay) else self._idle_since
        return survey, decision

    def _stay(self, survey: Survey, decision: Stay) -> None:
        facts = survey.facts
        if not facts.unknown:  # otherwise Prefect may not have said when the next run is due
            self._keep_wake_at(wake_at(facts))
        busy = bool(facts.runs or facts.queued or facts.inbox)
        idle = decision.idle_since is not None
        phase = Phase.WORKING if busy else Phase.IDLE if idle else Phase.READY
        self._reporter.tell(self._reported(survey, phase, decision.reasons))

    def _reported(self, survey: Survey, phase: Phase, reasons: tuple[str, ...]) -> Report:
        facts = survey.facts
        return replace(
            self._report,
            at=self._ports.clock(),
            phase=phase,
            runs=survey.runs,
            inbox=facts.inbox,
            unsent=facts.unsent,
            waits_for=reasons,
            next_schedule=facts.next_schedule,
            last_push=self._ports.last_push(),
            repositories=self._ports.repositories(),
        )

    def _keep_wake_at(self, moment: int | None) -> None:
        """Store the moment whenever it changes, not only before sleep: so it is right, however the host is stopped."""
        if self._wake_at != (moment,):
            self._ports.save_wake_at(moment)
            self._wake_at = (moment,)


def failed_report(error: DockerciseError, now: int) -> Report:
    """The report of a host that could not be set up.

    Args:
        error: what is wrong.
        now: the present moment, in seconds since 1970.
    """
    return Report(at=now, worked_at=now, phase=Phase.FAILED, error=error.message)
