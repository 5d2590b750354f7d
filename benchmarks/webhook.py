"""Measures how fast deliveries are answered, compared with an app that only answers 202 to every request.

    python benchmarks/webhook.py [--rounds 5] [--deliveries 1000] [--at-once 50]

Both are processes with one uvicorn each. The receiver checks the signature of each delivery, which is a real GitHub payload,
writes it to disk with fsync before it answers, and starts its run with a hub that answers at once. So the time of Prefect is
not measured. Each round sends the same number of deliveries to one process and then to the other, at most `--at-once` at the
same time, over connections that stay open. Ratios (ours divided by theirs) are calculated for each round, and the table shows
medians. Two more measurements follow: the time of an answer at 20 deliveries a second, when no delivery has to wait; and the
time that /health needs to answer while strangers repeatedly send eight forged deliveries of 25 MB at once.

The exit status is 1 if a limit is exceeded.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Process
from pathlib import Path

from dockercise_prefect.webhook.receiver.body import LARGEST
from tests.webhook.payloads import SECRET, Sent, github_push, github_sent
from tests.webhook.receiver_process import ReceiverProcess
from tests.webhook.scripted_world import ScriptedWorld

ROOT = Path(__file__).resolve().parents[1]
REPOSITORIES = 20
CALM_SECONDS = 0.05
CALM_DELIVERIES = 100
STRANGERS = 8
STRANGE_SECONDS = 10.0
SLOWEST_HEALTH = 0.2
"""Seconds that the slowest answer of /health may take while strangers send."""

SLOWEST_MEDIAN = 0.025
"""Seconds. Answers take milliseconds; the limit allows for a busy machine."""

_BARE = """
import asyncio, socket, sys, uvicorn

async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})

listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
print(listener.getsockname()[1], flush=True)
config = uvicorn.Config(app, http="h11", ws="none", lifespan="off", log_config=None, access_log=False)
asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))
"""


@dataclass(frozen=True)
class Measured:
    """One round: deliveries a second, and seconds until an answer."""

    rate: float
    median: float
    slow: float

    @classmethod
    def of(cls, seconds: Sequence[float], took: float) -> Measured:
        """Make the result from the times of the answers."""
        ordered = sorted(seconds)
        return cls(len(ordered) / took, statistics.median(ordered), ordered[int(len(ordered) * 0.99)])


def wire(sent: Sent) -> bytes:
    """A delivery as the bytes of an HTTP request."""
    head = "".join(f"{name}: {text}\r\n" for name, text in sent.headers.items())
    return f"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(sent.body)}\r\n{head}\r\n".encode() + sent.body


def deliveries(count: int) -> list[bytes]:
    """`count` genuine deliveries, for several repositories."""
    return [wire(github_sent(github_push(f"acme/service-{number % REPOSITORIES}"))) for number in range(count)]


async def send_all(port: int, requests: Sequence[bytes], at_once: int, pause: float = 0.0) -> Measured:
    """Send requests over `at_once` connections. Each sends its next request after an answer and, optionally, a pause."""
    waiting = iter(requests)
    seconds: list[float] = []

    async def line() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in waiting:
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            seconds.append(time.perf_counter() - began)
            assert head.startswith(b"HTTP/1.1 202 "), head
            await asyncio.sleep(pause)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(line() for _ in range(at_once)))
    return Measured.of(seconds, time.perf_counter() - began)


def forged() -> bytes:
    """A delivery of the maximum size for a registered repository, signed with a wrong secret."""
    start, end = b'{"repository": {"clone_url": "https://github.com/acme/service-0.git"}, "a": [', b"[]]}"
    body = start + b"[]," * ((LARGEST - len(start) - len(end)) // 3) + end
    return wire(Sent(headers=github_sent({}, secret=SECRET[1:]).headers, body=body))


async def ask(port: int, request: bytes) -> tuple[float, bytes]:
    """Send one request over a new connection. Returns the seconds until the answer, and its first line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.perf_counter()
    writer.write(request)
    line = await reader.readline()
    took = time.perf_counter() - began
    writer.close()
    return took, line


async def send_strange(port: int) -> None:
    """Send forged deliveries for some seconds, several at the same time."""
    until = time.perf_counter() + STRANGE_SECONDS
    request = forged()

    async def stranger() -> None:
        while time.perf_counter() < until:
            with suppress(ConnectionError):
                await ask(port, request)

    await asyncio.gather(*(stranger() for _ in range(STRANGERS)))


async def health(port: int, sends: Callable[[], bool]) -> list[float]:
    """The times of answers of /health while somebody sends."""
    seconds = []
    while sends():
        took, line = await ask(port, b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert line.startswith(b"HTTP/1.1 200 "), line
        seconds.append(took)
        await asyncio.sleep(0.01)
    return seconds


def beside_strangers(port: int) -> tuple[list[float], list[float]]:
    """The times of answers of /health when nobody sends, and while strangers send from a separate process."""
    looks = iter(range(CALM_DELIVERIES))
    calm = asyncio.run(health(port, lambda: next(looks, None) is not None))
    strangers = Process(target=lambda: asyncio.run(send_strange(port)))
    strangers.start()
    return calm, asyncio.run(health(port, strangers.is_alive))


@contextmanager
def bare() -> Iterator[int]:
    """Run the app that does nothing, and give its port."""
    with subprocess.Popen([sys.executable, "-c", _BARE], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def ours(scratch: Path) -> Iterator[int]:
    """Run the receiver, and give its port."""
    world = ScriptedWorld(scratch / "world.sqlite")
    for number in range(REPOSITORIES):
        world.register(f"acme/service-{number}", SECRET)
    process = ReceiverProcess(world.elsewhere, scratch / "data")
    process.start()
    try:
        yield int(process.url.rpartition(":")[2])
    finally:
        process.kill()


def main() -> int:
    """Measure, print, and compare with the limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--deliveries", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=50)
    given = parser.parse_args()
    if shutil.which("npm") is None:
        print("npm is not installed: GitHub's example payloads come from there", file=sys.stderr)
        return 2
    rounds: list[tuple[Measured, Measured]] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, bare() as theirs, ours(Path(name)) as mine:
        asyncio.run(send_all(theirs, deliveries(given.at_once), given.at_once))
        asyncio.run(send_all(mine, deliveries(given.at_once), given.at_once))
        for _ in range(given.rounds):
            requests = deliveries(given.deliveries)
            at_theirs = asyncio.run(send_all(theirs, requests, given.at_once))
            rounds.append((at_theirs, asyncio.run(send_all(mine, requests, given.at_once))))
        calm = [asyncio.run(send_all(port, deliveries(CALM_DELIVERIES), 1, CALM_SECONDS)) for port in (theirs, mine)]
        alone, beside = beside_strangers(mine)
    show(rounds, calm, given.at_once)
    show_strange(alone, beside)
    return 0 if calm[1].median <= SLOWEST_MEDIAN and max(beside) <= SLOWEST_HEALTH else 1


def show_strange(alone: Sequence[float], beside: Sequence[float]) -> None:
    """Print the times of /health while strangers sent."""
    print(f"/health{'':16} {'alone':>10} {'forged':>10}   {STRANGERS} forged deliveries of {LARGEST >> 20} MB at once")
    medians = statistics.median(alone) * 1000, statistics.median(beside) * 1000
    row("answer, median, ms", *medians, medians[1] / medians[0])
    row("answer, slowest, ms", max(alone) * 1000, max(beside) * 1000, max(beside) / max(alone))
    print(f"bound: {SLOWEST_HEALTH * 1000:g} ms at most, of {len(beside)}")


def show(rounds: Sequence[tuple[Measured, Measured]], calm: Sequence[Measured], at_once: int) -> None:
    """Print the table."""
    print(f"{at_once} at once{'':13} {'bare app':>10} {'receiver':>10} {'ratio':>7}")
    figures: list[tuple[str, float, Callable[[Measured], float]]] = [
        ("deliveries a second", 1.0, lambda one: one.rate),
        ("answer, median, ms", 1000.0, lambda one: one.median),
        ("answer, 99 of 100, ms", 1000.0, lambda one: one.slow),
    ]
    for title, unit, read in figures:
        at_theirs = [read(bare_app) * unit for bare_app, _ in rounds]
        at_ours = [read(receiver) * unit for _, receiver in rounds]
        ratio = statistics.median(one / other for one, other in zip(at_ours, at_theirs, strict=True))
        row(title, statistics.median(at_theirs), statistics.median(at_ours), ratio)
    print("one at a time, 20 a second")
    theirs, mine = calm
    row("answer, median, ms", theirs.median * 1000, mine.median * 1000, mine.median / theirs.median)
    row("answer, 99 of 100, ms", theirs.slow * 1000, mine.slow * 1000, mine.slow / theirs.slow)
    print(f"bound: a median of at most {SLOWEST_MEDIAN * 1000:g} ms, one at a time")


def row(title: str, theirs: float, mine: float, ratio: float) -> None:
    """Print one line of the table."""
    print(f"{title:23} {theirs:10.1f} {mine:10.1f} {ratio:7.2f}")


if __name__ == "__main__":
    raise SystemExit(main())
