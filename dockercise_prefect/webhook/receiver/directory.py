"""Knows which deployments wait for pushes to which repository, and their secrets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.webhook.payload.address import canonical_all
from dockercise_prefect.webhook.receiver.database import Database
from dockercise_prefect.webhook.receiver.hub import Hub, Registered
from dockercise_prefect.webhook.receiver.loop import Loop

_REGISTERED = TypeAdapter(Registered)
"""Reads and writes a row of the copy."""

MOST_ASKING = 20
"""The most deliveries for unknown repositories that wait at the same time for the registrations to be read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryPace:
    """Seconds between two readings: the usual time, and the shortest time, however many deliveries ask for one."""

    usual: float = 30.0
    least: float = 2.0


@dataclass(frozen=True, slots=True)
class Health:
    """How far the registrations can be relied on.

    Attributes:
        count: how many there are.
        hub_answers: whether they could be read at the last attempt.
        age: seconds since they were read; None if this process has never read them.
    """

    count: int
    hub_answers: bool
    age: float | None


class Directory:
    """The registrations and their secrets, as last read; usually that was at most half a minute ago.

    The database holds a copy, so that a receiver that starts while Prefect is down knows them too. Methods may be called from
    several threads at once.
    """

    def __init__(
        self,
        hub: Hub,
        database: Database,
        own_secret: str | None,
        say: Callable[[str], None],
        pace: DirectoryPace | None = None,
    ) -> None:
        """Load the copy. `start` begins to read.

        Args:
            hub: knows the registrations.
            database: holds the copy.
            own_secret: the receiver's own secret, for registrations that name none; None if the receiver has none.
            say: called with a line when the hub stops answering, and when it answers again.
            pace: how often to read.
        """
        self._hub = hub
        self._database = database
        self._own_secret = own_secret or None
        self._say = say
        self._pace = pace or DirectoryPace()
        self._lock = threading.Lock()
        self._asking: list[Future[None]] = []
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._answers = False
        self._told: bool | None = None
        self._registered, self._secrets = self._copy()
        self._loop = Loop("registrations", self._step, say)

    def start(self) -> None:
        """Begin to read, with the first reading at once."""
        self._loop.start()

    def stop(self) -> None:
        """Stop reading."""
        self._loop.stop()

    def join(self, seconds: float) -> bool:
        """Wait for a running reading to end; returns whether no reading is running any more."""
        return self._loop.join(seconds)

    def find(self, addresses: Iterable[str]) -> tuple[Registered, ...]:
        """The registrations of a repository, ordered by name.

        Args:
            addresses: addresses of the repository in canonical form.
        """
        wanted = set(addresses)
        return tuple(one for one in self._registered.values() if wanted & one.repositories)

    def get(self, deployment_id: str) -> Registered | None:
        """A registration by its deployment's id."""
        return self._registered.get(deployment_id)

    def secret(self, registered: Registered) -> str | None:
        """The secret that the sender of deliveries for a registration must know; if it is None, none are accepted."""
        return self._own_secret if registered.secret is None else self._secrets.get(registered.secret)

    def asked(self) -> Future[None] | None:
        """A future that is done when the registrations have been read again; None if too many already wait for that."""
        with self._lock:
            if len(self._asking) >= MOST_ASKING:
                return None
            future: Future[None] = Future()
            self._asking.append(future)
        self._loop.wake()
        return future

    def health(self) -> Health:
        """How far the registrations can be relied on."""
        age = None if self._read_at is None else time.monotonic() - self._read_at
        return Health(len(self._registered), self._answers, age)

    def _step(self) -> float:
        """Read if it is time to, or if somebody has asked for it; returns the seconds until the next reading."""
        with self._lock:
            asked = bool(self._asking)
        since = float("inf") if self._tried_at is None else time.monotonic() - self._tried_at
        pause = (self._pace.least if asked else self._pace.usual) - since
        if pause > 0:
            return pause
        with self._lock:
            asking, self._asking = self._asking, []
        try:
            self._read()
        finally:
            self._tried_at = time.monotonic()
            for future in asking:
                future.set_result(None)
        return self._pace.usual

    def _read(self) -> None:
        try:
            found = self._hub.registrations()
        except DockerciseError as error:
            self._tell(error)
            return
        registered = _by_id(found)
        secrets = dict(self._secrets)
        blocks = {one.secret for one in registered.values() if one.secret is not None}
        down: DockerciseError | None = None
        for block in sorted(blocks):
            try:
                secrets[block] = self._hub.secret(block) or ""
            except DockerciseError as error:
                down = error
        secrets = {block: value for block, value in secrets.items() if block in blocks and value}
        if (registered, secrets) != (self._registered, self._secrets):
            self._keep(registered, secrets)
        self._registered, self._secrets = registered, secrets
        self._read_at = time.monotonic()
        self._tell(down)

    def _tell(self, down: DockerciseError | None) -> None:
        self._answers = down is None
        if self._told is not self._answers:
            self._told = self._answers
            count = len(self._registered)
            self._say(
                f"{count} deployment{'' if count == 1 else 's'} wait{'s' if count == 1 else ''} for pushes"
                if down is None
                else f"{down.message}; deliveries are kept until it answers"
            )

    def _keep(self, registered: Mapping[str, Registered], secrets: Mapping[str, str]) -> None:
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM registrations")
            connection.execute("DELETE FROM secrets")
            connection.executemany(
                "INSERT INTO registrations VALUES (?, ?)",
                [(key, _REGISTERED.dump_json(one).decode()) for key, one in registered.items()],
            )
            connection.executemany("INSERT INTO secrets VALUES (?, ?)", list(secrets.items()))

    def _copy(self) -> tuple[dict[str, Registered], dict[str, str]]:
        with self._database.reading() as connection:
            rows = connection.execute("SELECT content FROM registrations").fetchall()
            secrets = {row["block"]: row["value"] for row in connection.execute("SELECT block, value FROM secrets")}
        return _by_id(_REGISTERED.validate_json(row["content"]) for row in rows), secrets


def _by_id(found: Iterable[Registered]) -> dict[str, Registered]:
    """The registrations by their deployments' ids, ordered by name, with addresses in canonical form."""
    ordered = sorted(found, key=lambda one: (one.name, one.deployment_id))
    return {one.deployment_id: replace(one, repositories=canonical_all(one.repositories)) for one in ordered}
