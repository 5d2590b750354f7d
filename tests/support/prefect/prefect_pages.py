"""Opens windows of the tests' browser, and pages of Prefect's UI in them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, Response, WebError
from playwright.sync_api import TimeoutError as PlaywrightTimeout

LOG = logging.getLogger(__name__)

DRAWN_MS = 180_000
"""Milliseconds that the UI may take to load or draw a page; on a busy machine it takes many seconds."""

LOAD_MS = 60_000
"""Milliseconds after which a page with missing content is loaded again, as a user would do."""

BAD = 400
"""Answers with this status or a higher one are refusals."""


@contextmanager
def window(browser: Browser, now: datetime | None = None, **options: Any) -> Iterator[Page]:
    """Open a separate window, with timeouts for a busy machine. Its errors are in the log of the test.

    Args:
        browser: the browser that opens the window.
        now: the time of the window's clock; by default, the current time.
        options: arguments of `Browser.new_page`.
    """
    page = browser.new_page(**options)
    page.context.set_default_timeout(DRAWN_MS)
    if now is not None:
        page.clock.install(time=now)
    with troubles_of(page) as troubles:
        try:
            yield page
        finally:
            for trouble in troubles:
                LOG.warning("%s", trouble)
            page.context.close()


def open_page(page: Page, url: str, shows: Locator) -> None:
    """Load a page until it shows an element. If it never does, fail with its content and its errors."""
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
    """Collect the refusals, lost requests and errors of a page, and of the pages that it opens."""
    troubles: list[str] = []

    def answered(answer: Response) -> None:
        if answer.status >= BAD:
            troubles.append(f"{answer.status} of {answer.url}")

    def failed(request: Request) -> None:
        troubles.append(f"{request.failure} of {request.url}")

    def broke(error: WebError) -> None:
        troubles.append(f"error in the page: {error.error}")

    page.context.on("response", answered)
    page.context.on("requestfailed", failed)
    page.context.on("weberror", broke)
    try:
        yield troubles
    finally:
        page.context.remove_listener("response", answered)
        page.context.remove_listener("requestfailed", failed)
        page.context.remove_listener("weberror", broke)
