"""The browser of the tests: changes of the engine's networks do not break the pages in it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Page

from scripts.engine import ensure_engine

pytestmark = [pytest.mark.docker, pytest.mark.browser]

ASK_MANY = """\
(times) => Promise.allSettled([...Array(times).keys()].map((number) => fetch(`/${number}`).then((answer) => answer.text())))
    .then((all) => all.filter(({status}) => status === "rejected").length)
"""
"""Sends many requests at the same time, most of which wait for a connection; gives the number of failed ones."""

REQUESTS = 120

SECONDS_TO_ANSWER = 0.2


class Slow(BaseHTTPRequestHandler):
    """Answers every request, after a delay."""

    def do_GET(self) -> None:
        """Send a short answer."""
        time.sleep(SECONDS_TO_ANSWER)
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture
def slow_site() -> Iterator[str]:
    """The address of a server that answers with a delay."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@contextmanager
def networks_come_and_go() -> Iterator[list[str]]:
    """Creates and removes networks on the engine, and collects their names."""
    names: list[str] = []
    enough = threading.Event()

    def make_and_remove() -> None:
        with closing(ensure_engine()) as client:
            while not enough.is_set():
                names.append(f"dockercise-test-{uuid.uuid4().hex[:12]}")
                client.create_network(names[-1])
                client.remove_network(names[-1])

    thread = threading.Thread(target=make_and_remove)
    thread.start()
    try:
        yield names
    finally:
        enough.set()
        thread.join()


def test_networks_that_come_and_go_fail_no_request(page: Page, slow_site: str) -> None:
    """Docker creates an interface of this machine for each network; running requests are still answered."""
    page.goto(slow_site)

    with networks_come_and_go() as names:
        failed = page.evaluate(ASK_MANY, REQUESTS)

    assert len(names) > 1
    assert failed == 0
