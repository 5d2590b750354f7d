"""Takes the pictures of the documentation with headless Chromium: pages of Prefect's UI, and pages of records.

python -m scripts.screenshot run http://127.0.0.1:4200/runs/flow-run/… docs/images/run.png
python -m scripts.screenshot artifact http://127.0.0.1:4200/artifacts/artifact/… docs/images/artifact.png
python -m scripts.screenshot report file:///…/report.html docs/images/report.png
python -m scripts.screenshot upcoming http://127.0.0.1:4200/deployments/deployment/…?tab=Upcoming docs/images/upcoming.png
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

CHROMIUM = Path(__file__).with_name("chromium.py")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars"]
VIEW: ViewportSize = {"width": 1280, "height": 860}
DRAWN = "[class*=run-graph]"
TO_COME = "Scheduled for "
"""The text that the UI shows before the time of a future run."""
SETTLE_MS = 3_000
"""Milliseconds to wait for the layout of the graph, which is a canvas, and for its images."""


def open_run(page: Page, url: str) -> None:
    """Open the run's page, and wait until its graph is drawn."""
    page.goto(url, wait_until="networkidle")
    page.locator(DRAWN).first.wait_for(state="visible")
    page.wait_for_timeout(SETTLE_MS)


def task_runs(page: Page) -> list[str]:
    """The names of the task runs on the page."""
    page.get_by_role("tab", name="Task Runs").or_(page.get_by_text("Task Runs", exact=True)).first.click()
    names = page.locator("[class*=state-list-item] a[href*='/runs/task-run/']")
    names.first.wait_for(state="visible")
    return [name.strip() for name in names.all_inner_texts()]


def open_artifact(page: Page, url: str) -> None:
    """Open an artifact's page, and wait until its text is drawn."""
    page.goto(url, wait_until="networkidle")
    page.locator("table").first.wait_for(state="visible")


def open_report(page: Page, url: str) -> None:
    """Open a page of a run's record."""
    page.goto(url)
    page.locator("h1").first.wait_for(state="visible")


def open_upcoming(page: Page, url: str) -> None:
    """Open a page with future runs: those of a deployment, or those of the next days."""
    page.goto(url, wait_until="networkidle")
    page.get_by_text(TO_COME).first.wait_for(state="visible")


PAGES: dict[str, Callable[[Page, str], None]] = {
    "run": open_run,
    "artifact": open_artifact,
    "report": open_report,
    "upcoming": open_upcoming,
}


def main() -> None:
    """Take one picture. For a run, also print its task runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", choices=PAGES)
    parser.add_argument("url")
    parser.add_argument("image", type=Path)
    arguments = parser.parse_args()
    arguments.image.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport=VIEW, device_scale_factor=1)
        PAGES[arguments.page](page, arguments.url)
        page.screenshot(path=arguments.image)
        if arguments.page == "run":
            print(*task_runs(page))
        browser.close()
    print(arguments.image)


if __name__ == "__main__":
    main()
