"""The page of a run in a real browser, from disk: with a mouse, with a keyboard, on a phone, and without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dockercise_prefect.orchestration.run.report import report
from dockercise_prefect.pipeline import Pipeline, instance, stage
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.status import RunStatus, StageStatus
from tests.support.prefect.prefect_pages import window
from tests.support.recorded_runs import SHOP, Recorded, ran

pytestmark = [pytest.mark.docker, pytest.mark.browser]

AT_ITS_END = "(log) => log.scrollTop > 0 && log.scrollTop + log.clientHeight >= log.scrollHeight - 1"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The page of a failed run, on disk."""
    run = Recorded(tmp_path)
    stages = {
        "greet": ran(StageStatus.PASSED, 0, 1),
        "hush": ran(StageStatus.CACHED, 0, 2),
        "check": ran(StageStatus.FAILED, 1, 3, 1, "exit code 1\ngrep: no match"),
        "deliver": ran(StageStatus.NOT_STARTED, 0, 0, message="not started: check failed"),
    }
    logs = {"greet": b"hello from greet\n", "check": b"looking\n" * 100 + b"x" * 5000 + b"\ngrep: no match\n"}
    for name, summary in stages.items():
        run.stage(name, summary, log=logs.get(name))
    ended = RunSummary(run.run_id, "shop", RunStatus.FAILED, stages=stages)
    run.store.keep_report(report(run.folder, SHOP, ended))
    return (run.folder / "report.html").as_uri()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window; a request for anything except the page, or an error in it, fails the test."""
    asked: list[str] = []
    wrong: list[str] = []
    with window(browser) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        yield page
        assert [url for url in asked if not url.endswith("report.html")] == []
        assert wrong == []


def log_of(page: Page, name: str) -> str:
    return f'pre[aria-label="Log of {name}"]'


def test_a_click_shows_a_stages_log(page: Page, url: str) -> None:
    """A click on a stage shows its log, another one hides it."""
    page.goto(url)
    expect(page.locator(log_of(page, "greet"))).to_be_hidden()

    page.locator("summary", has_text="greet").first.click()
    expect(page.locator(log_of(page, "greet"))).to_have_text("hello from greet\n")

    page.locator("summary", has_text="greet").first.click()
    expect(page.locator(log_of(page, "greet"))).to_be_hidden()


def test_a_click_in_the_graph_opens_the_stage(page: Page, url: str) -> None:
    """A box of the graph leads to its stage, and so does the name of a failed stage, also after the stage was closed."""
    page.goto(url)

    page.locator("svg a", has_text="check").click()
    expect(page.locator(log_of(page, "check"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(log_of(page, "check"))).to_be_hidden()
    page.locator(".wrong a", has_text="check").click()
    expect(page.locator(log_of(page, "check"))).to_be_visible()


def test_a_link_leads_to_a_stage(page: Page, url: str) -> None:
    """A link with a stage's name opens the page at that stage."""
    page.goto(f"{url}#stage=greet")

    expect(page.locator(log_of(page, "greet"))).to_be_visible()


def test_the_keyboard_is_enough(page: Page, url: str) -> None:
    """`/` filters, the arrows move, Enter opens, Escape closes."""
    page.goto(url)

    page.keyboard.press("/")
    page.keyboard.type("failed")
    expect(page.locator("details.stage:visible")).to_have_count(2)  # the failed stage, and the one that waited for it
    page.keyboard.press("Escape")
    expect(page.locator("details.stage:visible")).to_have_count(4)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(log_of(page, "check"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(log_of(page, "check"))).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(browser: Browser, url: str, scheme: str) -> None:
    """On a narrow screen, with everything open, nothing is wider than the screen."""
    with window(browser, viewport={"width": 360, "height": 740}, color_scheme=scheme) as page:
        page.goto(url)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")

        assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("width", [1280, 390])
def test_the_graph_shows_what_failed_and_the_last_stage(browser: Browser, tmp_path: Path, width: int) -> None:
    """A graph of ten layers is shown to its end; in a graph that is wider than the window, the failed stage is visible."""
    names = [f"integration-{number}" for number in range(12)]
    wide = [stage(name, image="busybox", run="true") for name in names]
    chain = [stage("layer-0", image="busybox", run="true", after=wide)]
    for number in range(1, 10):
        chain.append(stage(f"layer-{number}", image="busybox", run="true", after=[chain[-1]]))
    stages = {one.name: ran(StageStatus.NOT_STARTED, 0, 0, message="not started") for one in chain}
    stages |= {name: ran(StageStatus.PASSED, 0, 1) for name in names} | {
        names[-1]: ran(StageStatus.FAILED, 0, 1, 1, "exit code 1")
    }
    run = Recorded(tmp_path)
    ended = RunSummary(run.run_id, "shop", RunStatus.FAILED, stages=stages)
    run.store.keep_report(report(run.folder, Pipeline("shop", [*wide, *chain]), ended))

    with window(browser, viewport={"width": width, "height": 844}) as page:
        page.goto((run.folder / "report.html").as_uri())
        panel = page.locator(".graph").bounding_box()
        failed = page.locator(".graph g.failed").bounding_box()
        last = page.locator(".graph a", has_text="layer-9").bounding_box()

    assert panel is not None
    assert failed is not None
    assert last is not None
    assert panel["x"] <= failed["x"]
    assert failed["x"] + failed["width"] <= panel["x"] + panel["width"]
    assert last["y"] + last["height"] <= panel["y"] + panel["height"]


def test_scripts_of_others_do_not_run(browser: Browser, url: str, tmp_path: Path) -> None:
    """The policy of the page allows its own script and no other one."""
    path = next(tmp_path.rglob("report.html"))
    path.write_text(path.read_text().replace("</main>", "<script>document.title = 'taken'</script></main>"))

    with window(browser) as page:
        page.goto(url)

        assert "taken" not in page.title()


def test_a_failed_stages_log_opens_at_its_end(page: Page, url: str) -> None:
    """The end of a failed stage's log is visible immediately; the log of a stage that passed opens at its beginning."""
    page.goto(f"{url}#stage=check")
    log = page.locator(log_of(page, "check"))
    expect(log).to_be_visible()
    page.wait_for_function(AT_ITS_END, arg=log.element_handle())

    page.locator("summary", has_text="greet").first.click()
    assert page.locator(log_of(page, "greet")).evaluate("(log) => log.scrollTop") == 0


def test_a_link_that_was_cut_leads_nowhere(page: Page, url: str) -> None:
    """A link whose end is missing opens the page, without an error and without a stage."""
    page.goto(f"{url}#stage=%")

    expect(page.locator("details.stage[open]")).to_have_count(0)


def test_a_stage_has_one_colour(page: Page, url: str) -> None:
    """In any state, a stage's box in the graph has the colour of its line in the list."""
    page.goto(url)

    for name in ("greet", "hush", "check", "deliver"):
        box = page.locator("svg a", has_text=name).locator(".box").first
        state = page.locator("details.stage", has_text=name).first.locator(".state")
        colour = state.evaluate("(one) => getComputedStyle(one).color")
        assert box.evaluate("(one) => getComputedStyle(one).stroke") == colour, name


def test_many_instances_are_folded(page: Page, tmp_path: Path) -> None:
    """Many instances of a stage are hidden behind one line, until a click on it, a filter or a link shows them."""
    which = [instance("test", NUMBER=str(number)) for number in range(20)]
    pipeline = Pipeline("many", [stage(one.name, instance=one, image="x") for one in which])
    run = Recorded(tmp_path, pipeline)
    stages = {one.name: ran(StageStatus.PASSED, 0, 1) for one in which}
    stages["test(7)"] = ran(StageStatus.FAILED, 0, 1, 3, "exit code 3")
    for name, summary in stages.items():
        run.stage(name, summary, log=f"I am {name}\n".encode())
    run.store.keep_report(report(run.folder, pipeline, RunSummary(run.run_id, "many", RunStatus.FAILED, stages=stages)))
    url = (run.folder / "report.html").as_uri()
    instances, line = page.locator("details.stage:visible"), page.locator("details.instances > summary")

    page.goto(url)
    expect(instances).to_have_count(0)
    expect(line).to_contain_text("20 instances: 19 passed, 1 failed")
    line.click()
    expect(instances).to_have_count(20)
    line.click()
    page.fill("#filter", "failed")
    expect(instances).to_have_count(1)
    page.fill("#filter", "")
    line.click()
    expect(instances).to_have_count(0)
    page.locator(".wrong a").click()
    expect(page.locator(log_of(page, "test(7)"))).to_have_text("I am test(7)\n")
