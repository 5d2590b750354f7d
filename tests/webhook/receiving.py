"""A receiver behind a real socket, in this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from dockercise_prefect.hosts.kinds import HostKind
from dockercise_prefect.hosts.statuses import CommitStatus, Statuses
from dockercise_prefect.http_server import address_of
from dockercise_prefect.webhook.receiver.backoff import Backoff
from dockercise_prefect.webhook.receiver.directory import DirectoryPace
from dockercise_prefect.webhook.receiver.follower import Looks
from dockercise_prefect.webhook.receiver.hub import Hub
from dockercise_prefect.webhook.receiver.receiver import Pace, Receiver
from dockercise_prefect.webhook.receiver.server import listen, make_server
from tests.webhook.payloads import Sent

BRISK = Pace(
    directory=DirectoryPace(usual=0.2, least=0.05),
    backoff=Backoff(first=0.02, longest=0.2),
    looks=Looks(shortest=0.05, longest=0.2),
)
"""The pauses of real use, shortened."""


@dataclass
class ScriptedStatuses:
    """A git host's list of statuses, and its answers to the next ones.

    Attributes:
        sent: the accepted statuses, with the site and the token, in order.
        faults: errors that the next attempts raise.
    """

    sent: list[tuple[str, str, CommitStatus]] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    attempts: int = 0

    def open(self, kind: HostKind, site: str, token: str) -> Statuses:
        """`webhook.statuses.OpenStatuses`."""
        return _Sender(self, f"{kind} {site}", token)

    def states(self, commit: str) -> list[str]:
        """The states that were sent for a commit."""
        return [status.state for _, _, status in self.sent if status.commit == commit]


@dataclass
class _Sender:
    host: ScriptedStatuses
    where: str
    token: str

    def send(self, status: CommitStatus) -> None:
        self.host.attempts += 1
        if self.host.faults:
            raise self.host.faults.pop(0)
        self.host.sent.append((self.where, self.token, status))


@dataclass
class Receiving:
    """A running receiver.

    Attributes:
        url: its address.
        log: its lines.
        statuses: the statuses that git hosts received.
    """

    url: str
    log: list[str]
    statuses: ScriptedStatuses
    client: httpx.Client

    def deliver(self, sent: Sent, path: str = "/") -> httpx.Response:
        """Send a delivery; returns the answer."""
        return self.client.post(path, content=sent.body, headers=dict(sent.headers))

    def result(self, sent: Sent) -> tuple[int, str]:
        """Send a delivery; returns status and result."""
        answer = self.deliver(sent)
        return answer.status_code, answer.json()["result"]

    def figures(self) -> dict[str, float]:
        """The metrics, by their names and labels."""
        lines = self.client.get("/metrics").text.splitlines()
        pairs = [line.rpartition(" ") for line in lines if not line.startswith("#")]
        return {name: float(value) for name, _, value in pairs}

    def logged(self, text: str) -> bool:
        """Whether a line of the log contains a text."""
        return any(text in line for line in self.log)


@contextmanager
def receiving(
    hub: Hub,
    data: Path,
    *,
    statuses: ScriptedStatuses | None = None,
    own_secret: str | None = None,
    pace: Pace = BRISK,
) -> Iterator[Receiving]:
    """A receiver that is ready inside, and has ended at the end."""
    log: list[str] = []
    host = statuses or ScriptedStatuses()
    receiver = Receiver(hub=hub, open_statuses=host.open, data=data, own_secret=own_secret, say=log.append, pace=pace)
    ready = threading.Event()
    server = make_server(receiver.app, ready.set)
    with listen("127.0.0.1", 0) as listener:
        url = address_of(listener)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
        thread.start()
        receiver.start()
        try:
            assert ready.wait(60)
            with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
                yield Receiving(url, log, host, client)
        finally:
            server.should_exit = True
            thread.join(60)
            receiver.stop()
