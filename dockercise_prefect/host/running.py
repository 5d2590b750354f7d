"""`dockercise host run`: everything that the host does while it is awake, until a signal ends it or it sleeps."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil

from dockercise_prefect.aws.parameters import HostConfig, StackParameters
from dockercise_prefect.aws.report import Phase, Report
from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.host.clients import host_client
from dockercise_prefect.host.drain import RECEIVER, Drain, bucket_reader
from dockercise_prefect.host.facts import Sources, ask_receiver, survey
from dockercise_prefect.host.host_log import HostLog
from dockercise_prefect.host.installing import installed_problem
from dockercise_prefect.host.machine import Layout, writing
from dockercise_prefect.host.metrics import INTERVAL, Metrics
from dockercise_prefect.host.queue import PushQueue
from dockercise_prefect.host.registrations import Registrations
from dockercise_prefect.host.releases import Releases
from dockercise_prefect.host.reporter import Reporter
from dockercise_prefect.host.watcher import Ports, Watcher
from dockercise_prefect.orchestration.prefect.pool_runs import pool_runs
from dockercise_prefect.orchestration.registrations.deployments import DEFAULT_POOL
from dockercise_prefect.settings import Settings
from dockercise_prefect.webhook.receiver.loop import Loop

_WATCH_SECONDS = 10.0
_REGISTER_SECONDS = 10.0
_RETRY_SECONDS = 10.0
_RECEIVE_SECONDS = 10
_ENDING_SECONDS = 30.0

Say = Callable[[str], None]


class Complaints:
    """Calls a step again and again, and says what is wrong only when it changes.

    Args:
        step: does something, and returns the seconds until the next step; raises `DockerciseError`.
        say: called with a line.
    """

    def __init__(self, step: Callable[[], float], say: Say) -> None:
        self._step = step
        self._say = say
        self._last: str | None = None

    def __call__(self) -> float:
        """Do the step; after an error, it is tried again in ten seconds."""
        try:
            pause = self._step()
        except DockerciseError as error:
            if error.message != self._last:
                self._say(error.message)
            self._last = error.message
            return _RETRY_SECONDS
        self._last = None
        return pause


def run_host(
    config: HostConfig,
    parameters: StackParameters,
    settings: Settings,
    layout: Layout,
    say: Say,
    *,
    ended: threading.Event,
    receiver: str = RECEIVER,
) -> None:
    """Do all that the host does while it is awake. Returns when `ended` is set, or when the machine powers itself off.

    Args:
        config: what the stack says.
        parameters: the parameters of the stack.
        settings: the settings of this machine.
        layout: where everything is.
        say: called with a line for each thing that happens.
        ended: set by a signal.
        receiver: the address of the receiver of pushes.
    """
    region = config.region
    queue = PushQueue(host_client("sqs", region), config.queue, config.lost)
    registrations = Registrations(config.stack, parameters.repositories, settings, say)
    drain = Drain(
        queue=queue,
        body_of=bucket_reader(host_client("s3", region), config.bucket),
        secrets=parameters.secrets,
        unregistered=lambda: not registrations.all_ready(),
        clock=time.time,
        say=say,
        receiver=receiver,
    )
    sources = Sources(
        queued=queue.waiting,
        pool_runs=partial(pool_runs, DEFAULT_POOL),
        receiver=partial(ask_receiver, receiver),
        awake_until=parameters.awake_until,
        unregistered=registrations.untried,
        deployments=lambda: registrations.names,
        data=settings.data,
    )
    ports = Ports(
        survey=lambda: survey(sources, int(time.time())),
        drain_held=drain.held,
        taken=lambda: drain.taken,
        last_push=lambda: drain.last_push,
        repositories=lambda: registrations.states,
        save_wake_at=parameters.save_wake_at,
        power_off=partial(_power_off, layout.sleep),
        end_drain=drain.stop,
        clock=lambda: int(time.time()),
        say=say,
    )
    reporter = Reporter(parameters.save_report)
    start = _started(config, settings, layout, parameters.report())
    watcher = Watcher(ports, reporter, start, config.idle_minutes * 60)
    metrics = Metrics(host_client("cloudwatch", region), config.stack, settings.data, time.monotonic)
    log = HostLog(host_client("logs", region), config.host_log_group, _log_stream(), _state_folder(settings))
    registering = Loop("registrations", Complaints(_always(registrations.reconcile, _REGISTER_SECONDS), say), say, longest=60.0)

    def drained() -> float:
        if drain.step(_RECEIVE_SECONDS) and not registrations.all_ready():
            registering.wake()  # the push may be the first one of a repository that was added just now
        return 0.0

    measuring = Complaints(_always(metrics.put, INTERVAL), say)
    loops = (
        registering,
        Loop("drain", Complaints(drained, say), say),
        Loop("metrics", measuring, say, longest=INTERVAL),
        Loop("log", Complaints(lambda: 0.0 if log.send() else _RETRY_SECONDS, say), say, longest=_RETRY_SECONDS),
    )
    watching = Complaints(_always(watcher.step, _WATCH_SECONDS), say)
    say(f"the host of {config.stack} is awake")
    for loop in loops:
        loop.start()
    try:
        pause = watching()
        while not watcher.is_over and not ended.wait(pause):
            pause = watching()
        if watcher.is_over:
            ended.wait()  # systemd ends this process when it powers the machine off
    finally:
        drain.stop()
        for loop in loops:
            loop.stop()
        until = time.monotonic() + _ENDING_SECONDS
        for loop in loops:
            loop.join(max(0.0, until - time.monotonic()))
    measuring()  # the minutes since the last time count too: most hosts are awake for only a few
    say("ending")


def _always(do: Callable[[], None], pause: float) -> Callable[[], float]:
    def step() -> float:
        do()
        return pause

    return step


def _started(config: HostConfig, settings: Settings, layout: Layout, before: Report | None) -> Report:
    package = Releases(layout, None, config.bucket, lambda _line: None).current_package() or config.package
    booted_at = int(psutil.boot_time())
    return Report(
        at=int(time.time()),
        booted_at=booted_at,
        # To start is no work. Otherwise a process that ends again and again would keep a host awake that does nothing.
        worked_at=before.worked_at if before is not None and before.at >= booted_at else booted_at,
        phase=Phase.READY,
        error=installed_problem(settings.data),
        package=package,
    )


def _power_off(file: Path) -> None:
    with writing(file):
        file.touch()


def _log_stream() -> str:
    return os.uname().nodename


def _state_folder(settings: Settings) -> Path:
    """Where systemd lets the unit keep files on the disk of the system; the data folder, if this is not a unit."""
    given = os.environ.get("STATE_DIRECTORY")
    return Path(given) if given else settings.data / "host"
