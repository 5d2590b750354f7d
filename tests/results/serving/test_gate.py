"""Who may read results: a real server on loopback, asked as browsers, other sites and other users would ask."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from dockercise_prefect.errors import UsageError
from dockercise_prefect.results.serving.server import listen
from tests.support.served_results import Served, served

SECRET = "what the results say"


async def secret(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers every request with the same text."""
    await PlainTextResponse(SECRET)(scope, receive, send)


@pytest.fixture
def server() -> Iterator[Served]:
    """A server whose pages contain a secret."""
    with served(secret, "/123456789012/shop") as server:
        yield server


def test_the_first_address_lets_a_browser_in(server: Served) -> None:
    """The first address gives a cookie and leads to the page without the token; from then on, the browser reads pages."""
    with server.client() as browser:
        first = browser.get(server.first)

        assert SECRET not in first.text
        assert 'content="0; url=/123456789012/shop"' in first.text
        assert browser.get("/123456789012/shop").text == SECRET


def test_the_cookie_is_for_this_site_alone(server: Served) -> None:
    """No script can read the cookie, and no browser sends it for another site; it is not the token."""
    with server.client() as browser:
        cookie = browser.get(server.first).headers["set-cookie"]

    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    assert server.first.partition("=")[2] not in cookie


def test_the_first_address_works_once(server: Served) -> None:
    """Whoever sees the address later, in a history or a list of processes, cannot use it. The first browser still can."""
    with server.admitted() as browser, server.client() as other:
        again = other.get(server.first)

        assert (again.status_code, SECRET in again.text) == (401, False)
        assert other.get("/").status_code == 401
        assert browser.get(server.first).text == SECRET


def test_looking_at_the_headers_does_not_use_the_address(server: Served) -> None:
    """A program that asks for the headers of the first address, as chats do, does not take it away."""
    with server.client() as browser:
        browser.head(server.first)

        assert "set-cookie" in browser.get(server.first).headers


@pytest.mark.parametrize("token", ["", "x", "☃", "a" * 43])
def test_a_wrong_token_lets_nobody_in(server: Served, token: str) -> None:
    """Without the right token there is no cookie, and the right one still works."""
    with server.client() as browser:
        refused = browser.get("/", params={"token": token})

        assert (refused.status_code, "set-cookie" in refused.headers) == (401, False)
        assert "set-cookie" in browser.get(server.first).headers


def test_other_names_of_the_machine_are_refused(server: Served) -> None:
    """A name that another site lets point to this machine reads nothing, even with the cookie."""
    port = urlsplit(server.url).port
    with server.admitted() as browser:
        answers = {
            host: browser.get("/", headers={"Host": host}).status_code
            for host in (
                f"127.0.0.1:{port}",
                f"localhost:{port}",
                f"evil.example:{port}",
                "127.0.0.1",
                f"127.0.0.1.evil.example:{port}",
            )
        }

    assert list(answers.values()) == [200, 200, 421, 421, 421]


def test_two_names_at_once_are_refused(server: Served) -> None:
    """A request with two host names, or with none, reads nothing."""
    with server.admitted() as browser:
        (cookie,) = browser.cookies.jar
    port = urlsplit(server.url).port
    for hosts in (f"Host: 127.0.0.1:{port}\r\nHost: evil.example\r\n", ""):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(
                f"GET / HTTP/1.1\r\n{hosts}Cookie: {cookie.name}={cookie.value}\r\nConnection: close\r\n\r\n".encode()
            )
            answer = b"".join(iter(lambda: connection.recv(65536), b""))

        assert answer.startswith(b"HTTP/1.1 4")
        assert SECRET.encode() not in answer


@pytest.mark.parametrize(
    ("site", "mode", "destination", "status"),
    [
        ("none", "navigate", "document", 200),
        ("same-origin", "cors", "empty", 200),
        ("same-site", "navigate", "document", 200),
        ("cross-site", "navigate", "document", 200),
        ("same-site", "no-cors", "script", 403),
        ("same-site", "cors", "empty", 403),
        ("cross-site", "navigate", "iframe", 403),
        ("cross-site", "no-cors", "image", 403),
    ],
)
def test_pages_of_other_sites_read_nothing(server: Served, site: str, mode: str, destination: str, status: int) -> None:
    """Another page of this machine or of the web can link to a page, and cannot load it, even if the cookie comes with it."""
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": destination}
    with server.admitted() as browser:
        answer = browser.get("/", headers=headers)

    assert (answer.status_code, SECRET in answer.text) == (status, status == 200)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_can_be_changed(server: Served, method: str) -> None:
    """Only reading is possible."""
    with server.admitted() as browser:
        assert browser.request(method, "/").status_code == 405


def test_no_answer_may_be_kept_framed_or_guessed(server: Served) -> None:
    """Every answer, also a refusal, tells the browser not to store it, frame it, guess its type or say where it came from."""
    with server.client() as browser:
        answers = [browser.get(address) for address in ("/", server.first, "/")]

    assert [answer.status_code for answer in answers] == [401, 200, 200]
    for headers in [answer.headers for answer in answers]:
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers
        assert not re.search(r"unsafe-eval|script-src[^;]*unsafe|https?:", headers["content-security-policy"])


def test_a_link_cannot_lead_to_another_host(server: Served) -> None:
    """The page after the first address is always one of this server, whatever the path is."""
    token = server.first.partition("?")[2]
    with server.client() as browser:
        page = browser.get(f"{server.url}//evil.example/%22%3E%3Cscript%3E?{token}").text

    assert "url=/evil.example/%22%3E%3Cscript%3E" in page


def test_only_this_machine_can_connect(server: Served) -> None:
    """The server listens on the loopback address alone."""
    with listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_a_port_in_use_is_said() -> None:
    """If another program has the port, the message says what to do."""
    with listen(0) as taken, pytest.raises(UsageError, match="cannot listen on 127") as raised:
        listen(taken.getsockname()[1])

    assert raised.value.hint == "choose another port with `--port`"


def test_a_stranger_who_knows_the_cookies_name(server: Served) -> None:
    """A cookie with another value is as good as none."""
    port = urlsplit(server.url).port
    for value in ("", "x", "a" * 43):
        answer = httpx.get(server.url, headers={"Cookie": f"dockercise-results-{port}={value}"}, timeout=60, trust_env=False)

        assert (answer.status_code, SECRET in answer.text) == (401, False)


def test_idle_connections_are_closed(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other users of this machine cannot take all connections: one that sends no request in time is closed."""
    monkeypatch.setattr("dockercise_prefect.http_server.TimedConnection.head_seconds", 0.3)
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0), timeout=60) as connection:
        connection.sendall(b"GET /")

        assert connection.recv(100) == b""


def test_nobody_writes_on_the_terminal_of_the_user(server: Served, caplog: pytest.LogCaptureFixture) -> None:
    """Requests that are not HTTP are answered, and no warning is logged."""
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0), timeout=60) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00")

        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
    assert caplog.records == []
