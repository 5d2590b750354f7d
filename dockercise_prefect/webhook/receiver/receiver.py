"""The complete receiver of pushes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout
from starlette.applications import Starlette

from dockercise_prefect.errors import WebhookError
from dockercise_prefect.hosts.statuses import OpenStatuses
from dockercise_prefect.webhook.receiver.app import Doors
from dockercise_prefect.webhook.receiver.backoff import Backoff
from dockercise_prefect.webhook.receiver.body import Bodies
from dockercise_prefect.webhook.receiver.database import Database
from dockercise_prefect.webhook.receiver.directory import Directory, DirectoryPace
from dockercise_prefect.webhook.receiver.dispatcher import AT_ONCE, Dispatcher
from dockercise_prefect.webhook.receiver.follower import Follower, Looks
from dockercise_prefect.webhook.receiver.hub import Hub
from dockercise_prefect.webhook.receiver.inbox import MOST_WAITING, Inbox
from dockercise_prefect.webhook.receiver.intake import Intake
from dockercise_prefect.webhook.receiver.loop import Loop
from dockercise_prefect.webhook.receiver.metrics import Metrics
from dockercise_prefect.webhook.receiver.notices import Notices
from dockercise_prefect.webhook.receiver.notifier import Notifier
from dockercise_prefect.webhook.receiver.orders import Orders

FOLDER = "webhook"
"""The receiver's folder below the data folder."""

STATUSES_AT_ONCE = 2

_CLEANING_SECONDS = 3600.0
_ENDING_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often the receiver does its work, and its limits.

    Attributes:
        directory: how often to read registrations.
        backoff: how long to wait after a failure.
        looks: how often to look at runs.
        most_waiting: the most orders that may wait.
        body_seconds: seconds that a body may take to arrive.
    """

    directory: DirectoryPace = field(default_factory=DirectoryPace)
    backoff: Backoff = field(default_factory=Backoff)
    looks: Looks = field(default_factory=Looks)
    most_waiting: int = MOST_WAITING
    body_seconds: float = 10.0


class Receiver:
    """The HTTP endpoints and the work behind them.

    There can be only one for a data folder at a time, because it knows only in memory what it is working on.
    """

    def __init__(
        self,
        *,
        hub: Hub,
        open_statuses: OpenStatuses,
        data: Path,
        own_secret: str | None,
        say: Callable[[str], None],
        pace: Pace | None = None,
    ) -> None:
        """Open the file with the deliveries. `start` begins the work.

        Args:
            hub: the interface to Prefect and git.
            open_statuses: makes senders of commit statuses.
            data: the user's data folder.
            own_secret: the receiver's own secret, for registrations that name none.
            say: called with one line for each thing that happens.
            pace: how often the work is done, and its limits.

        Raises:
            WebhookError: the file cannot be opened, or another receiver has it.
        """
        pace = pace or Pace()
        folder = data / FOLDER
        self._lock = _taken(folder)
        self._database = Database(folder / "deliveries.sqlite")
        self._inbox = Inbox(self._database, pace.most_waiting)
        orders, notices = Orders(self._database), Notices(self._database)
        self._directory = Directory(hub, self._database, own_secret, say, pace.directory)
        metrics = Metrics(self._inbox.waiting, self._directory.health)
        notifier = Notifier(
            hub=hub, notices=notices, open_statuses=open_statuses, say=say, count=metrics.told, backoff=pace.backoff
        )
        notifying = Loop("statuses", notifier.step, say, threads=STATUSES_AT_ONCE)

        def ended(state: str) -> None:
            metrics.ended(state)
            notifying.wake()

        follower = Follower(hub, orders, say, ended, pace.looks)
        following = Loop("runs", follower.step, say)

        def submitted() -> None:
            following.wake()
            notifying.wake()

        dispatcher = Dispatcher(
            hub=hub,
            directory=self._directory,
            orders=orders,
            say=say,
            count=metrics.ordered,
            submitted=submitted,
            backoff=pace.backoff,
        )
        dispatching = Loop("pushes", dispatcher.step, say, threads=AT_ONCE)
        cleaning = Loop("cleaning", self._clean, say, longest=_CLEANING_SECONDS)
        self._loops = (dispatching, following, notifying, cleaning)
        self._doors = Doors(
            intake=Intake(self._directory, self._inbox, dispatching.wake),
            directory=self._directory,
            inbox=self._inbox,
            notices=notices,
            metrics=metrics,
            say=say,
            bodies=Bodies(seconds=pace.body_seconds),
        )

    @property
    def app(self) -> Starlette:
        """The ASGI application with all endpoints."""
        return self._doors.app()

    def start(self) -> None:
        """Begin the work behind the endpoints."""
        self._directory.start()
        for loop in self._loops:
            loop.start()

    def stop(self) -> None:
        """Stop the work and release the file. The next receiver does what was accepted and is not done.

        Work that waits for an answer, and does not end within ten seconds, ends with the process.
        """
        self._directory.stop()
        for loop in self._loops:
            loop.stop()
        until = time.monotonic() + _ENDING_SECONDS
        ended = [loop.join(max(0.0, until - time.monotonic())) for loop in (self._directory, *self._loops)]
        if all(ended):
            self._database.close()
            self._lock.release()

    def _clean(self) -> float:
        self._inbox.forget(time.time())
        return _CLEANING_SECONDS


def _taken(folder: Path) -> FileLock:
    """Take the folder's lock. The process holds it until it ends, however it ends."""
    lock = FileLock(folder / "receiver.lock", mode=0o600)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise WebhookError(
            f"another receiver is using {folder}", "stop it first, or give this one its own data folder (DOCKERCISE_DATA)"
        ) from error
    except OSError as error:
        raise WebhookError(
            f"cannot use the folder {folder}: {error.strerror}", "choose another folder with DOCKERCISE_DATA"
        ) from error
    return lock
