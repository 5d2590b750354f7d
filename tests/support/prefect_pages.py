"""Opens pages of Prefect's UI."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Locator, Page, Request, Response
from playwright.sync_api import TimeoutError as PlaywrightTimeout

DRAWN_MS = 180_000
"""Milliseconds that the UI may take to load or draw a page; on a busy machine it takes many seconds."""

LOAD_MS = 60_000
"""Milliseconds after which a page that does not show what it should is loaded again, as a user would do."""

BAD = 400
"""From this status on, an answer is a refusal."""


def open_page(page: Page, url: str, shows: Locator) -> None:
    """Load a page until it shows something; fails with what it shows instead, and with what went wrong in it."""
    with troubles_of(page) as troubles:
        for _ in range(DRAWN_MS // LOAD_MS):
            try:
                page.goto(url, timeout=LOAD_MS)
                shows.wait_for(state="visible", timeout=LOAD_MS)
            except PlaywrightTimeout as error:
                troubles.append(str(error))
            else:
                return
        shown = page.locator("body").inner_text()
    pytest.fail("\n".join([f"{url} shows {shown!r}", *troubles]))


@contextmanager
def troubles_of(page: Page) -> Iterator[list[str]]:
    """Gathers the refusals, lost requests and errors of a page."""
    troubles: list[str] = []

    def answered(answer: Response) -> None:
        if answer.status >= BAD:
            troubles.append(f"{answer.status} of {answer.url}")

    def failed(request: Request) -> None:
        troubles.append(f"{request.failure} of {request.url}")

    def broke(error: Exception) -> None:
        troubles.append(f"error in the page: {error}")

    page.on("response", answered)
    page.on("requestfailed", failed)
    page.on("pageerror", broke)
    yield troubles
    page.remove_listener("response", answered)
    page.remove_listener("requestfailed", failed)
    page.remove_listener("pageerror", broke)
