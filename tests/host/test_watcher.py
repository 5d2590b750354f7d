"""The watcher: looks, reports, and lets the host sleep."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from dockercise_prefect.aws.report import LastPush, Phase, Report, ReportedRun
from dockercise_prefect.errors import MachineError, StorageError
from dockercise_prefect.host.drain import Drain
from dockercise_prefect.host.facts import Survey
from dockercise_prefect.host.reporter import Reporter
from dockercise_prefect.host.running import Complaints
from dockercise_prefect.host.watcher import Ports, Watcher
from dockercise_prefect.host.work import Facts
from tests.host.answering import answering
from tests.host.queues import Queues
from tests.host.test_drain import make_drain
from tests.webhook.payloads import github_push, github_sent

START = 1_000_000
IDLE = 600
START_REPORT = Report(booted_at=START - 50, worked_at=START - 20, package="p", error="old")


@dataclass
class Host:
    """A host whose work the test sets.

    Attributes:
        facts: what there is to do; the moment is that of the clock.
        while_held: what there is to do as soon as the drain is held; None for no change.
        events: what the watcher did, in order.
        faults: errors that the next uses of a port raise, by its name.
    """

    now: int = START
    facts: Facts = field(default_factory=lambda: Facts(now=0))
    while_held: Facts | None = None
    runs: tuple[ReportedRun, ...] = ()
    progress: tuple[object, ...] = ()
    is_held: bool = False
    events: list[tuple[str, object]] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    faults: dict[str, Exception] = field(default_factory=dict)

    def watcher(self, drain: Drain | None = None) -> Watcher:
        """A watcher of this host, with a real drain if one is given."""
        ports = Ports(
            survey=self._survey,
            drain_held=drain.held if drain else self._held,
            taken=lambda: 0,
            last_push=lambda: LastPush(1, "acme/infra", "a" * 40, "queued"),
            repositories=dict,
            save_wake_at=lambda moment: self._do("save_wake_at", moment),
            power_off=lambda: self._do("power_off", self.is_held),
            end_drain=drain.stop if drain else lambda: self._do("end_drain", self.is_held),
            clock=lambda: self.now,
            say=lambda _line: None,
        )
        return Watcher(ports, Reporter(self._save), START_REPORT, IDLE)

    def _survey(self) -> Survey:
        facts = self.while_held if self.is_held and self.while_held is not None else self.facts
        return Survey(replace(facts, now=self.now), self.runs, self.progress)

    @contextmanager
    def _held(self) -> Iterator[None]:
        self.is_held = True
        yield
        self.is_held = False

    def _do(self, name: str, what: object) -> None:
        if name in self.faults:
            raise self.faults.pop(name)
        self.events.append((name, what))

    def _save(self, report: Report) -> None:
        self.events.append(("report", str(report.phase)))
        self.reports.append(report)


def test_a_host_without_work_goes_to_sleep() -> None:
    """After the idle time, the last report is written, then the machine is powered off, while no push can be taken."""
    host = Host(facts=Facts(now=0, next_schedule=START + 100_000))
    watcher = host.watcher()

    watcher.step()
    host.now += IDLE
    watcher.step()

    assert watcher.is_over
    assert host.events == [
        ("save_wake_at", START + 100_000 - 120),
        ("report", "idle"),
        ("report", "stopping"),
        ("power_off", True),
        ("end_drain", True),
    ]


@pytest.mark.docker
def test_a_push_that_comes_while_the_machine_ends_stays_in_the_queue(queues: Queues) -> None:
    """After the last look no push is taken, although the process goes on: the queue still has it, and wakes the host again."""
    host = Host()
    with answering(202) as receiver:
        drain = make_drain(queues, receiver.url)
        watcher = host.watcher(drain)
        watcher.step()
        host.now += IDLE
        watcher.step()
        queues.push(github_sent(github_push()))

        taken = drain.step(0)

    assert watcher.is_over
    assert not taken
    assert receiver.bodies == []
    assert queues.opened().waiting() == 1


def test_a_push_that_comes_at_the_last_moment_keeps_the_host_awake() -> None:
    """A push that the drain took just before it was held is seen by the last look: the host stays awake."""
    host = Host(while_held=Facts(now=0, inbox=1))
    watcher = host.watcher()

    watcher.step()
    host.now += IDLE
    watcher.step()
    host.while_held = None
    watcher.step()

    assert not watcher.is_over
    assert not host.is_held
    assert [what for name, what in host.events if name == "report"] == ["idle", "working"]


def test_work_makes_the_idle_time_begin_anew() -> None:
    """A run that ends within the idle time postpones sleep by the whole idle time."""
    host = Host()
    watcher = host.watcher()

    watcher.step()
    host.now, host.facts = START + IDLE - 1, Facts(now=0, runs=1)
    watcher.step()
    host.now, host.facts = START + IDLE, Facts(now=0)
    watcher.step()
    host.now = START + 2 * IDLE - 1
    watcher.step()
    assert not watcher.is_over
    host.now = START + 2 * IDLE
    watcher.step()

    assert watcher.is_over


def test_the_report_says_what_the_host_does() -> None:
    """A report has the runs, the reasons, the last push, and what the host was started with."""
    host = Host(facts=Facts(now=0, runs=1, inbox=2, unsent=3), runs=(ReportedRun("1", "infra/infra", "Running"),))

    host.watcher().step()

    (report,) = host.reports
    assert report.phase is Phase.WORKING
    assert report.runs == host.runs
    assert (report.inbox, report.unsent, report.booted_at, report.package, report.error) == (2, 3, START - 50, "p", "old")
    assert report.waits_for[0] == "1 run has not ended"
    assert report.last_push == LastPush(1, "acme/infra", "a" * 40, "queued")


def test_work_that_gets_ahead_is_noted() -> None:
    """The moment of the last progress changes with the progress, and not with time or a start: so a hung host is known."""
    host = Host(facts=Facts(now=0, runs=1), progress=("a",))
    watcher = host.watcher()

    for moment, progress in ((START, "a"), (START + 1000, "a"), (START + 2000, "b"), (START + 3000, "b")):
        host.now, host.progress = moment, (progress,)
        watcher.step()

    assert [report.worked_at for report in host.reports] == [START - 20, START - 20, START + 2000, START + 2000]


def test_the_next_schedule_is_stored_when_it_changes() -> None:
    """The moment to wake is stored at once and once, however the host is stopped later; an unknown schedule changes nothing."""
    host = Host(facts=Facts(now=0, runs=1, next_schedule=START + 5000))
    watcher = host.watcher()

    for facts in (
        host.facts,
        host.facts,
        Facts(now=0, unknown=("Prefect does not answer",)),
        Facts(now=0, runs=1, next_schedule=START + 9000),
        Facts(now=0, runs=1),
    ):
        host.now += 10
        host.facts = facts
        watcher.step()

    assert [what for name, what in host.events if name == "save_wake_at"] == [START + 4880, START + 8880, None]


@pytest.mark.parametrize("port", ["save_wake_at", "power_off"])
def test_a_host_that_cannot_sleep_tries_again(port: str) -> None:
    """If the moment to wake cannot be stored, or the machine cannot be powered off, the host is not over, and tries again."""
    host = Host()
    watcher = host.watcher()
    watcher.step()
    host.now += IDLE
    host.facts = Facts(now=0, next_schedule=host.now + 50_000)
    host.faults[port] = MachineError("refused") if port == "power_off" else StorageError("SSM does not answer")

    with pytest.raises((MachineError, StorageError)):
        watcher.step()
    over = watcher.is_over
    host.is_held = False
    watcher.step()

    assert not over
    assert watcher.is_over
    assert [name for name, _ in host.events].count("power_off") == 1


def test_a_complaint_is_said_once() -> None:
    """A step that fails is tried again soon, and says what is wrong only when that changes."""
    errors = [StorageError("a"), StorageError("a"), StorageError("b"), None, StorageError("b")]
    log: list[str] = []

    def step() -> float:
        if (error := errors.pop(0)) is not None:
            raise error
        return 60.0

    complaining = Complaints(step, log.append)
    pauses = [complaining() for _ in range(5)]

    assert pauses == [10.0, 10.0, 10.0, 60.0, 10.0]
    assert log == ["a", "b", "b"]
