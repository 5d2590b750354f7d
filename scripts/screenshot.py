"""The picture of the README: a run's page in Prefect's UI, taken with headless Chromium.

python scripts/screenshot.py http://127.0.0.1:4200/runs/flow-run/… docs/images/run.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars"]
VIEW: ViewportSize = {"width": 1280, "height": 860}
DRAWN = "[class*=run-graph]"
SETTLE_MS = 3_000
"""Milliseconds for the graph, a canvas, to be laid out and for its images to arrive."""


def open_run(page: Page, url: str) -> None:
    """Show the run's page with its graph drawn."""
    page.goto(url, wait_until="networkidle")
    page.locator(DRAWN).first.wait_for(state="visible")
    page.wait_for_timeout(SETTLE_MS)


def task_runs(page: Page) -> list[str]:
    """The names of the task runs that the page lists."""
    page.get_by_role("tab", name="Task Runs").or_(page.get_by_text("Task Runs", exact=True)).first.click()
    names = page.locator("[class*=state-list-item] a[href*='/runs/task-run/']")
    names.first.wait_for(state="visible")
    return [name.strip() for name in names.all_inner_texts()]


def main() -> None:
    """Take one picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("image", type=Path)
    arguments = parser.parse_args()
    arguments.image.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport=VIEW, device_scale_factor=1)
        open_run(page, arguments.url)
        page.screenshot(path=arguments.image)
        print(*task_runs(page))
        browser.close()
    print(arguments.image)


if __name__ == "__main__":
    main()
