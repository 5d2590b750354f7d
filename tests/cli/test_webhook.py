"""`webhook`: what a user sees, from the first line to the last."""

from __future__ import annotations

import re
import signal
import socket
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from dockercise_prefect.webhook.receiver.database import Database
from dockercise_prefect.webhook.receiver.inbox import Inbox
from tests.support.command import Command
from tests.webhook.command import running
from tests.webhook.payloads import SECRET, Sent, github_push, github_sent
from tests.webhook.scripted_world import ScriptedWorld
from tests.webhook.world import eventually

READY = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ waiting for pushes at (http://127\.0\.0\.1:\d+)$"


def post(url: str, sent: Sent) -> httpx.Response:
    return httpx.post(url, content=sent.body, headers=dict(sent.headers), trust_env=False, timeout=120)


def test_a_push_from_start_to_run(tmp_path: Path) -> None:
    """The command shows where it waits, one line for each delivery, and the link of the run that it started."""
    world = ScriptedWorld(tmp_path / "world")
    world.register("acme/infra", secret=None)
    payload = github_push("acme/infra")

    with running(
        tmp_path / "world", tmp_path / "data", "--port", "0", environment={"DOCKERCISE_WEBHOOK_SECRET": SECRET}
    ) as command:
        url = command.line(READY)[1]
        answer = post(f"{url}/webhook", github_sent(payload))
        delivered = command.line("acme/infra main")[0]
        started = command.line(r"started all: (http\S+)")

    assert delivered
    assert answer.status_code == 202
    assert started[1].startswith("http://127.0.0.1:4200/runs/flow-run/")
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", line) for line in command.lines)
    assert SECRET not in "\n".join(command.lines)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_ends_when_it_is_asked_to(tmp_path: Path, number: signal.Signals) -> None:
    """Signals that end the process end it in order, with exit status 0."""
    with running(tmp_path / "world", tmp_path / "data", "--port", "0") as command:
        command.line(READY)

        status, out = command.end(number)

    assert status == 0
    assert out.splitlines()[-1].endswith(" ending")


def test_a_delivery_that_is_on_its_way(tmp_path: Path) -> None:
    """A delivery that is arriving when the process receives the signal is answered, and kept for the next process."""
    world = ScriptedWorld(tmp_path / "world")
    world.register("acme/infra")
    sent = github_sent(github_push("acme/infra"))
    with running(tmp_path / "world", tmp_path / "data", "--port", "0") as command:
        url = command.line(READY)[1]
        eventually(lambda: httpx.get(f"{url}/health", trust_env=False).json()["registrations"]["count"] == 1)
        world.hang_up()
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=120) as connection:
            head = "".join(f"{name}: {text}\r\n" for name, text in sent.headers.items())
            connection.sendall(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(sent.body)}\r\n{head}\r\n".encode())
            connection.sendall(sent.body[:10])
            eventually(lambda: _is_being_answered(url))
            command.interrupt(signal.SIGTERM)
            connection.sendall(sent.body[10:])
            answer = connection.recv(65536)
        status, _ = command.ended()

    with closing(Database(tmp_path / "data/webhook/deliveries.sqlite")) as database:
        waiting = Inbox(database).waiting()
    assert answer.startswith(b"HTTP/1.1 202 ")
    assert (status, waiting) == (0, 1)


def _is_being_answered(url: str) -> bool:
    """When a later request is answered, the process has seen the earlier ones, too."""
    return httpx.get(f"{url}/health", trust_env=False).status_code == 200


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """If another program uses the port, the command reports it without a traceback, and exits with 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running(tmp_path / "world", tmp_path / "data", "--port", str(port)) as command:
            status, out = command.ended()

    assert status == 2
    assert out == (
        f"cannot listen on 127.0.0.1:{port}: Address already in use\n"
        "  hint: is a receiver already running? Choose another port with `--port`\n"
    )


def test_a_second_receiver(tmp_path: Path) -> None:
    """A second receiver with the same data folder names the folder in its message, and exits with 2."""
    with running(tmp_path / "world", tmp_path / "data", "--port", "0") as first:
        first.line(READY)
        with running(tmp_path / "world", tmp_path / "data", "--port", "0") as second:
            status, out = second.ended()

    assert status == 2
    assert out.startswith(f"another receiver is using {tmp_path / 'data/webhook'}\n  hint: ")


def test_the_secret_is_no_flag(command: Command) -> None:
    """A secret cannot be given on the command line, because everybody on the machine could read it there."""
    outcome = command("webhook", "--secret", "x")

    assert outcome.status == 2
    assert "No such option" in outcome.err
