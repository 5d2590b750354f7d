"""Pages of other sites cannot use the local Prefect server, in a real browser, and the UI sends no requests to other sites."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from dockercise_prefect.orchestration.prefect.local_server import LocalServer
from scripts.screenshot import ARGUMENTS, CHROMIUM
from tests.support.foreign_site import foreign_site
from tests.support.prefect.prefect_pages import open_page
from tests.support.prefect.prefect_records import ask

pytestmark = [pytest.mark.docker, pytest.mark.browser]

REBOUND = "rebound.example"
"""A name of the attacker that leads to 127.0.0.1, as with DNS rebinding."""

SECRET = "what only the owner may read"

TRY = """\
async ({url, method, mode, type, body}) => {
    const headers = type ? {"Content-Type": type} : {};
    try {
        const answer = await fetch(url, {method, mode, headers, body: body ?? undefined});
        return {status: answer.status, text: await answer.text()};
    } catch (error) {
        return {status: 0, text: ""};
    }
}"""

SOCKET = """\
(url) => new Promise((done) => {
    const socket = new WebSocket(url, "prefect");
    socket.onopen = () => { socket.send(JSON.stringify({type: "auth", token: null})); done("opened"); };
    socket.onerror = () => done("refused");
})"""

FORM = """\
(url) => new Promise((done) => {
    document.body.innerHTML = '<iframe name="answer"></iframe>'
        + `<form method="post" enctype="text/plain" target="answer" action="${url}"><input></form>`;
    document.querySelector("input").name = '{"name": "form", "value": "';
    document.querySelector("input").value = '"}';
    document.querySelector("iframe").onload = () => done("answered");
    document.querySelector("form").submit();
})"""

EMBED = """\
([kind, url]) => new Promise((done) => {
    const element = document.createElement(kind);
    element.onload = () => done("loaded");
    element.onerror = () => done("refused");
    element.src = url;
    document.body.append(element);
})"""


ASK = "(url) => fetch(url, {mode: 'no-cors'}).then(() => 'answered', () => 'refused')"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, which resolves the attacker's names to this machine."""
    rule = "--host-resolver-rules=MAP *.example 127.0.0.1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, rule])
        yield browser
        browser.close()


@pytest.fixture(params=["http://elsewhere.example:{port}", "http://localhost:{port}", "http://127.0.0.1:{port}"])
def foreign(page: Page, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A window with a foreign page: of another site, or of another server on this machine."""
    with foreign_site() as port:
        page.goto(request.param.format(port=port))
        yield page


@pytest.fixture(scope="module")
def block(server: LocalServer) -> str:
    """The name of a Secret block."""
    kind = ask(server.api_url, "block_types/slug/secret")["id"]
    schema = ask(server.api_url, "block_schemas/filter", {"block_schemas": {"block_type_id": {"any_": [kind]}}})[0]["id"]
    made = {"name": "foreign-page", "block_type_id": kind, "block_schema_id": schema, "data": {"value": SECRET}}
    ask(server.api_url, "block_documents/", made)
    return "foreign-page"


def variables(server: LocalServer) -> list[str]:
    """The names of all variables."""
    return [each["name"] for each in ask(server.api_url, "variables/filter", {})]


@pytest.mark.parametrize("type_", ["application/json", "text/plain", None])
@pytest.mark.parametrize("mode", ["cors", "no-cors"])
def test_a_foreign_page_reads_no_block(foreign: Page, server: LocalServer, block: str, mode: str, type_: str | None) -> None:
    """A page of another origin cannot read a Secret block, with any kind of request."""
    asked = {"url": f"{server.api_url}/block_documents/filter", "method": "POST", "mode": mode, "type": type_}

    answer = foreign.evaluate(TRY, asked | {"body": '{"include_secrets": true}'})

    assert answer == {"status": 0, "text": ""}


@pytest.mark.parametrize("type_", ["application/json", "text/plain", None])
@pytest.mark.parametrize("mode", ["cors", "no-cors"])
def test_a_foreign_page_changes_nothing(foreign: Page, server: LocalServer, mode: str, type_: str | None) -> None:
    """A POST from a page of another origin changes nothing, although the browser sends it."""
    before = variables(server)
    asked = {"url": f"{server.api_url}/variables/", "method": "POST", "mode": mode, "type": type_}

    foreign.evaluate(TRY, asked | {"body": '{"name": "foreign", "value": "x"}'})
    foreign.evaluate(FORM, f"{server.api_url}/variables/")

    assert variables(server) == before


@pytest.mark.parametrize("path", ["events/in", "events/out", "logs/out", "task_runs/subscriptions/scheduled"])
def test_a_foreign_page_opens_no_websocket(foreign: Page, server: LocalServer, path: str) -> None:
    """WebSockets, which browsers open to any site, are refused for pages of another origin."""
    said = foreign.evaluate(SOCKET, f"ws://127.0.0.1:{server.port}/api/{path}")

    assert said == "refused"


@pytest.mark.parametrize("kind", ["script", "img"])
def test_a_foreign_page_embeds_nothing(foreign: Page, server: LocalServer, kind: str) -> None:
    """A page of another origin cannot load anything as a part of itself."""
    said = foreign.evaluate(EMBED, [kind, f"{server.ui_url}/favicon.ico" if kind == "img" else f"{server.api_url}/version"])

    assert said == "refused"


@pytest.mark.parametrize("path", ["/", "/v2/runs"])
def test_a_foreign_page_frames_nothing(foreign: Page, server: LocalServer, path: str) -> None:
    """Neither UI is shown inside a page of another origin, which could steal clicks."""
    with foreign.expect_response(f"{server.ui_url}{path}") as answered:
        foreign.evaluate(EMBED, ["iframe", f"{server.ui_url}{path}"])

    assert answered.value.status == 403


def test_a_name_that_leads_here_is_not_answered(page: Page, server: LocalServer, block: str) -> None:
    """A page whose own name leads to this machine is same-origin for the browser, and is still refused."""
    base = f"http://{REBOUND}:{server.port}"
    shown = page.goto(f"{base}/favicon.ico")

    asked: dict[str, Any] = {"url": f"{base}/api/block_documents/filter", "method": "POST", "mode": "cors"}
    answer = page.evaluate(TRY, asked | {"type": "application/json", "body": '{"include_secrets": true}'})
    opened = page.evaluate(SOCKET, f"ws://{REBOUND}:{server.port}/api/events/out")
    pages = [page.evaluate(TRY, {"url": f"{base}{path}", "method": "GET"})["status"] for path in ("/v2/runs", "/ui-settings")]

    assert shown is not None
    assert shown.status == 403
    assert answer["status"] == 403
    assert SECRET not in answer["text"]
    assert opened == "refused"
    assert pages == [403, 403]


def test_a_link_on_a_foreign_page_leads_to_the_ui(foreign: Page, server: LocalServer, block: str) -> None:
    """Links to runs in chats, mails and commit statuses work as before."""
    foreign.evaluate("(url) => { document.body.innerHTML = `<a href='${url}'>the page</a>` }", f"{server.ui_url}/blocks")

    foreign.get_by_text("the page").click()

    expect(foreign.get_by_text(block, exact=True)).to_be_visible()


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "tunnel"])
def test_the_ui_works_at_each_of_its_addresses(page: Page, server: LocalServer, block: str, address: str, version: str) -> None:
    """Both of Prefect's UIs show their data, with either name of this machine and through a tunnel on another port."""
    with tunnel(server.port) as port:
        base = f"http://localhost:{port}" if address == "tunnel" else f"http://{address}:{server.port}"
        page.context.add_cookies([{"name": "prefect_ui_version", "value": version, "url": base}])

        shown = page.get_by_text(block, exact=True)
        open_page(page, f"{base}/v2/blocks" if version == "v2" else f"{base}/blocks", shown)

        assert shown.is_visible()


@pytest.mark.parametrize("ui", ["", "/v2"])
def test_pages_of_the_ui_ask_no_other_site(page: Page, server: LocalServer, ui: str) -> None:
    """Both UIs send requests to this server only, so no other site learns that they are used or what they show."""
    page.goto(f"{server.ui_url}{ui}/runs")

    with foreign_site() as port:
        said = page.evaluate(ASK, f"http://elsewhere.example:{port}/")

    assert said == "refused"
    assert page.evaluate(ASK, f"{server.api_url}/health") == "answered"


@contextmanager
def tunnel(port: int) -> Iterator[int]:
    """Another port that forwards every byte to this one, like `ssh -L`."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", port))
            for ends in ((near, far), (far, near)):
                threading.Thread(target=_copy, args=ends, daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):  # either end may reset the connection, and the other end must notice it
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
