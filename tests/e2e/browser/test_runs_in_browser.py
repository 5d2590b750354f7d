"""The grid of a pipeline's runs in a real browser: on a wide screen and on a phone, with a mouse, with a keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dockercise_prefect.results.report.runs_page import Row, runs_page
from dockercise_prefect.status import StageStatus
from tests.support.prefect.prefect_pages import window
from tests.support.recorded_runs import run_id

pytestmark = [pytest.mark.docker, pytest.mark.browser]

NAMES = ["build", "test it", *(f"stage-{number}" for number in range(30))]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The page of three runs on disk; `test it` failed in the newest one. The pages of the runs exist."""
    rows = []
    for number in (2, 1, 0):
        stages = dict.fromkeys(NAMES, StageStatus.PASSED) | {"build": StageStatus.CACHED}
        if number == 2:
            stages["test it"] = StageStatus.FAILED
        status = "failed" if number == 2 else "passed"
        rows.append(Row(run_id(number), status, "2026-11-22T19:03:12+00:00", 75.0, "", "0123456789ab", "main", "push", stages))
        (tmp_path / run_id(number)).mkdir()
        (tmp_path / run_id(number) / "report.html").write_text("<!DOCTYPE html><title>a run</title>")
    (tmp_path / "index.html").write_text(runs_page("shop", rows, more=0))
    return (tmp_path / "index.html").as_uri()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window; an error in a page fails the test."""
    wrong: list[str] = []
    with window(browser) as page:
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        yield page
        assert wrong == []


@pytest.mark.parametrize("width", [1280, 390])
def test_only_the_grid_scrolls(page: Page, url: str, width: int) -> None:
    """However narrow the window, the page is not wider, and what a run is stays in sight beside its stages."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(url)

    page.locator(".runs").evaluate("(grid) => { grid.scrollLeft = 200 }")

    assert page.evaluate("document.documentElement.scrollWidth") == width
    head = page.get_by_role("rowheader").first
    expect(head).to_be_in_viewport(ratio=0.9)
    expect(head).to_contain_text("0123456789ab · main · push · 75.0 s")


def test_each_cell_has_one_mark_and_a_word(page: Page, url: str) -> None:
    """The state of a stage is a mark, a colour and a word that screen readers read."""
    page.goto(url)

    marks = page.evaluate(
        """() => [...document.querySelectorAll(".grid td")].slice(0, 3).map((cell) => [cell, ...cell.children]
            .map((one) => getComputedStyle(one, "::before").content).filter((mark) => mark !== "none"))"""
    )

    assert marks == [['"="'], ['"✗"'], ['"✓"']]
    expect(page.get_by_role("cell", name="failed")).to_have_count(1)
    expect(page.get_by_role("columnheader", name="test it")).to_have_count(1)


@pytest.mark.parametrize(("row", "column", "stage"), [(0, 1, "test%20it"), (1, 1, "test%20it"), (2, 3, "stage-1")])
def test_a_click_leads_to_the_stage(page: Page, url: str, row: int, column: int, stage: str) -> None:
    """A cell leads to the stage on the page of its run, whether the stage failed or not."""
    page.goto(url)

    page.locator("tbody tr").nth(row).locator("td").nth(column).click()

    page.wait_for_url(f"**/{run_id(2 - row)}/report.html#stage={stage}")


def test_failures_are_reached_by_keyboard(page: Page, url: str) -> None:
    """With the Tab key: the grid, which the arrow keys scroll, then the run, then the stage that failed."""
    page.goto(url)

    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    page.wait_for_url(f"**/{run_id(2)}/report.html#stage=test%20it")
