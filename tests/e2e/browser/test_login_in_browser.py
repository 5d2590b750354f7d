"""The login of the local Prefect server, in both of its UIs, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from dockercise_prefect.orchestration.prefect.local_server import ServerFolder

pytestmark = [pytest.mark.docker, pytest.mark.browser]

LOGIN = "ada:correct horse"

VARIABLE = "shown_to_ada"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that requires a login, and has a variable."""
    folder = ServerFolder(tmp_path_factory.mktemp("guarded"))
    folder.require_login(LOGIN)
    try:
        server = folder.up(lambda _text: None)
        name, password = LOGIN.split(":")
        made = {"name": VARIABLE, "value": "x"}
        httpx.post(f"{server.api_url}/variables/", json=made, auth=(name, password), timeout=60).raise_for_status()
        yield server.ui_url
    finally:
        folder.down()


@pytest.mark.parametrize("ui", ["", "/v2"])
def test_who_has_the_login_sees_what_is_there(page: Page, guarded: str, ui: str) -> None:
    """The UI requires the login, accepts only the right one, and keeps it when the page is loaded again."""
    field, variable = page.locator("input[type=password]"), page.get_by_text(VARIABLE, exact=True)

    page.goto(f"{guarded}{ui}/variables")
    field.fill("ada:wrong")
    with page.expect_response(lambda answer: answer.status == httpx.codes.UNAUTHORIZED):
        field.press("Enter")
    expect(variable).to_have_count(0)
    field.fill(LOGIN)
    field.press("Enter")
    expect(variable).to_be_visible()
    page.reload()

    expect(variable).to_be_visible()
