"""Stages that never ran in both of Prefect's UIs, in a real browser: they have an end and no duration."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from scripts.screenshot import VIEW
from tests.e2e.conftest import Dockercise
from tests.support.prefect.prefect_pages import open_page
from tests.support.prefect.prefect_pages import window as window_of
from tests.support.prefect.prefect_records import ask, task_runs

pytestmark = [pytest.mark.docker, pytest.mark.browser]

PIPELINE = """\
meta: {name: shop, defaults: {img: busybox}}
build: {run: echo built}
look: {after: build, run: exit 3}
publish: {after: look, run: echo published}
tell: {after: publish, run: echo told}
"""

NEVER_RAN = ("publish", "tell")

LATER = timedelta(hours=1)

LOOK_MS = 1_000
"""Milliseconds between two pictures of a graph that is still being drawn."""

LOOKS = 4
"""A graph counts as drawn when so many pictures in a row are the same."""

LOADS = 5
"""The graph is loaded up to so many times, until both are alike. In about one of six, the page draws the time scale wrongly."""

UNLIKE = """\
async (pictures) => {
    const [one, other] = await Promise.all(pictures.map(async (encoded) => {
        const image = new Image();
        image.src = `data:image/png;base64,${encoded}`;
        await image.decode();
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [image.width, image.height];
        const context = canvas.getContext("2d");
        context.drawImage(image, 0, 0);
        return context.getImageData(0, 0, image.width, image.height).data;
    }));
    if (one.length !== other.length) return 1;
    let unlike = 0;
    for (let at = 0; at < one.length; at += 4) {
        if ([0, 1, 2].some((colour) => Math.abs(one[at + colour] - other[at + colour]) > 32)) unlike += 4;
    }
    return unlike / one.length;
}"""
"""The share of pixels that differ between two pictures."""

ALIKE = 0.005
"""The maximum of this share for pictures of the same graph: the edges of letters move a little."""

Window = Callable[[timedelta], Page]


@pytest.fixture
def failed(dockercise_run: Dockercise, prefect_api: str, tmp_path: Path) -> str:
    """The id of a flow run whose second of four stages fails, when Prefect knows how each ended."""
    root = tmp_path / "shop"
    root.mkdir()
    (root / "shop.dockercise.yaml").write_text(PIPELINE, encoding="utf-8")
    flow_run_id: str = dockercise_run("-C", root).summary["flow_run_id"]
    task_runs(prefect_api, flow_run_id, 4)
    return flow_run_id


@pytest.fixture
def window(browser: Browser) -> Iterator[Window]:
    """Opens browser windows whose clock is ahead by the given time."""
    with ExitStack() as windows:
        yield lambda ahead: windows.enter_context(window_of(browser, datetime.now(UTC) + ahead, viewport=VIEW))


def open_graph(page: Page, url: str) -> str:
    """Load a run's page, and return the picture of its graph when it no longer changes."""
    # The canvas exists before the graph, and two empty ones would be alike.
    with page.expect_response(lambda answer: answer.url.endswith("/graph-v2") and answer.ok):
        open_page(page, url, page.locator("canvas").first)
    page.evaluate("document.fonts.ready")
    looks = [picture(page)]
    while len(looks) < LOOKS:
        page.wait_for_timeout(LOOK_MS)
        look = picture(page)
        looks = [*looks, look] if unlike(page, looks[-1], look) == 0 else [look]
    return looks[-1]


def picture(page: Page) -> str:
    return base64.b64encode(page.locator("canvas").first.screenshot()).decode()


def unlike(page: Page, *pictures: str) -> float:
    share: float = page.evaluate(UNLIKE, list(pictures))
    return share


def never_ending(route: Route) -> None:
    """The API's answer, changed as if stages that never ran had no end."""
    answer = route.fetch()
    told = answer.json()
    for _, node in told["nodes"]:
        if node["label"] in NEVER_RAN:
            node |= {"end_time": None, "state_type": "PENDING"}
    route.fulfill(response=answer, json=told)


def test_what_the_graph_is_drawn_from_ends_at_once(failed: str, prefect_api: str) -> None:
    """A stage that never ran is cancelled; it starts and ends at the same time, after the stages that it waited for."""
    nodes = {node["label"]: node for _, node in ask(prefect_api, f"flow_runs/{failed}/graph-v2")["nodes"]}

    for name in NEVER_RAN:
        assert nodes[name]["state_type"] == "CANCELLED"
        assert nodes[name]["start_time"] == nodes[name]["end_time"] > nodes["look"]["start_time"]
    ids = {node["id"]: name for name, node in nodes.items()}
    assert {ids[parent["id"]] for parent in nodes["tell"]["parents"]} >= {"publish"}


@pytest.mark.parametrize("ui", ["", "/v2"])
def test_the_graph_does_not_grow(failed: str, window: Window, prefect_api: str, ui: str) -> None:
    """An hour later, the graph of a failed run looks the same as at its end."""
    url = f"{prefect_api.removesuffix('/api')}{ui}/runs/flow-run/{failed}"
    page, hour_later = window(timedelta()), window(LATER)

    shares = (unlike(page, open_graph(page, url), open_graph(hour_later, url)) for _ in range(LOADS))
    assert any(share <= ALIKE for share in shares)


@pytest.mark.acceptance
def test_a_graph_that_grows_would_be_seen(failed: str, window: Window, prefect_api: str) -> None:
    """If such stages had no end, the graph would look different an hour later, and the comparison would detect it."""
    url = f"{prefect_api.removesuffix('/api')}/runs/flow-run/{failed}"
    page = window(LATER)

    soon = open_graph(page, url)
    page.route("**/graph-v2", never_ending)
    later = open_graph(page, url)

    assert unlike(page, soon, later) > ALIKE


@pytest.mark.parametrize("ui", ["", "/v2"])
def test_the_list_says_that_they_never_started(failed: str, window: Window, prefect_api: str, ui: str) -> None:
    """In the list of task runs their state is `NotStarted`, and their duration is zero, also an hour later."""
    page = window(LATER)

    tab = page.get_by_role("tab", name="Task Runs").or_(page.get_by_text("Task Runs", exact=True)).first
    open_page(page, f"{prefect_api.removesuffix('/api')}{ui}/runs/flow-run/{failed}", tab)
    tab.click()

    for name in NEVER_RAN:
        link = page.get_by_role("link", name=name, exact=True)
        row = page.locator(".task-run-list-item, li:has(nav)").filter(has=link)
        expect(row).to_contain_text("NotStarted")
        assert re.search(r"[1-9]\d*\s?(s|m|h|second|minute|hour)s?\b", row.inner_text()) is None
