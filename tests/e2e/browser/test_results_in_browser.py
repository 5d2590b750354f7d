"""The results of an account in a real browser, from a bucket on loopback: the way to a log, a run that goes on, other sites."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dockercise_prefect.archives.tarball import File, Folder
from dockercise_prefect.orchestration.run.report import drawing
from dockercise_prefect.results.places.bucket import Bucket
from dockercise_prefect.results.places.s3 import S3Objects
from dockercise_prefect.results.serving.site import Site
from dockercise_prefect.settings import read_settings
from dockercise_prefect.status import RunStatus, StageStatus
from tests.support.aws.moto import running_aws
from tests.support.foreign_site import foreign_site
from tests.support.prefect.prefect_pages import window
from tests.support.recorded_runs import Recorded, failed_run, ran, run_id
from tests.support.served_results import Served, served

pytestmark = [pytest.mark.docker, pytest.mark.browser]

ACCOUNT = "123456789012"
RUN = f"/{ACCOUNT}/shop/{run_id()}"

LOAD = """\
async (url) => {
    const image = new Promise((done) => {
        const image = new Image();
        image.onload = image.onerror = () => done(image.width);
        image.src = url;
    });
    const text = await fetch(url, {credentials: "include"}).then((answer) => answer.text()).catch(() => "");
    return [await image, text];
}"""


class World:
    """A bucket with records, and a server that shows them."""

    def __init__(self, objects: S3Objects, server: Served) -> None:
        self.objects = objects
        self.server = server

    def send(self, run: Recorded) -> None:
        """Send a record in its present state."""
        for file in run.folder.iterdir():
            with file.open("rb") as content:
                self.objects.put(f"shop/{run.run_id}/{file.name}", content)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An empty bucket, and its server, whose first address leads to the account."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with running_aws() as aws:
        folder = aws.write_folder(tmp_path / ".aws")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
        aws.bucket("mine")
        objects = S3Objects(Bucket("mine", "results"), read_settings())
        with served(Site(ACCOUNT, objects, drawing).app(), f"/{ACCOUNT}") as server:
            yield World(objects, server)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window. An error in a page, or something that its policy blocks, fails the test."""
    wrong: list[str] = []
    with window(browser) as page:
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if "Content Security Policy" in message.text else None)
        yield page
        assert wrong == []


def test_from_the_list_to_a_log_and_back_by_a_deep_link(world: World, page: Page, tmp_path: Path) -> None:
    """Clicks lead from the account to a log and a download; the address of a stage leads back to it."""
    run = Recorded(tmp_path / "results")
    file = File(path="greet/a", size=0, content=list)
    run.stage("greet", ran(StageStatus.PASSED, 0, 1), b"hello\n", [Folder(path="greet"), file])
    run.stage("check", ran(StageStatus.FAILED, 1, 1, 1, "exit code 1"), b"looking\ngrep: no match\n")
    run.end(RunStatus.FAILED)
    world.send(run)

    page.goto(world.server.first)
    expect(page).to_have_url(f"{world.server.url}/{ACCOUNT}")
    page.get_by_role("link", name="shop", exact=True).click()
    page.get_by_role("link", name=run_id()).click()
    expect(page).to_have_url(f"{world.server.url}{RUN}")
    page.locator("summary", has_text="check").first.click()
    expect(page.locator('pre[aria-label="Log of check"]')).to_have_text("looking\ngrep: no match\n")
    page.locator("summary", has_text="greet").first.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="greet.tar.zst").click()
    assert Path(download.value.path()).read_bytes() == (run.folder / "greet.tar.zst").read_bytes()

    page.get_by_role("link", name="check.log").click()
    expect(page.locator("body")).to_have_text("looking grep: no match")
    page.goto(f"{world.server.url}{RUN}#stage=check")
    expect(page.locator('pre[aria-label="Log of check"]')).to_be_visible()


def test_a_run_that_goes_on_comes_into_sight_by_itself(world: World, page: Page, tmp_path: Path) -> None:
    """The page of a running run shows what has happened since; what was open stays open; at its end it rests."""
    run = Recorded(tmp_path / "results")
    run.stage("greet", ran(StageStatus.PASSED, 0, 1), b"hello\n")
    world.send(run)
    page.goto(world.server.first)
    page.goto(f"{world.server.url}{RUN}")
    expect(page.locator("h1")).to_contain_text("unfinished")
    page.locator("summary", has_text="greet").first.click()

    run.stage("check", ran(StageStatus.PASSED, 1, 1), b"looking\n")
    run.end()
    world.send(run)

    expect(page.locator("h1")).to_contain_text("passed")
    expect(page.locator('pre[aria-label="Log of greet"]')).to_be_visible()
    expect(page.locator("body[data-refresh]")).to_have_count(0)


def test_a_page_stays_when_the_server_has_ended(world: World, page: Page, tmp_path: Path, browser: Browser) -> None:
    """If the command is ended, a page that shows itself again keeps what it showed last."""
    world.send(Recorded(tmp_path / "results"))
    site = Site(ACCOUNT, world.objects, drawing).app()
    with served(site, RUN) as server:
        page.goto(server.first)
        expect(page.locator("h1")).to_contain_text("unfinished")

    with page.expect_event("requestfailed") as failed:
        pass

    assert failed.value.method == "HEAD"
    expect(page.locator("h1")).to_contain_text("unfinished")


def test_another_site_reads_nothing_and_can_link(world: World, page: Page, tmp_path: Path) -> None:
    """A page of another port of this machine, which gets the same cookies, cannot load a page. A link to one works."""
    world.send(failed_run(tmp_path / "results"))
    page.goto(world.server.first)
    expect(page).to_have_url(f"{world.server.url}/{ACCOUNT}")
    with foreign_site() as port, window(page.context.browser) as stranger:  # type: ignore[arg-type]  # it is there
        stranger.goto(f"http://127.0.0.1:{port}/")
        assert stranger.evaluate(LOAD, f"{world.server.url}{RUN}") == [0, ""]

        page.goto(f"http://127.0.0.1:{port}/")
        loaded = page.evaluate(LOAD, f"{world.server.url}{RUN}")
        page.evaluate("(url) => { document.body.innerHTML = `<a href='${url}'>a run</a>` }", f"{world.server.url}{RUN}")
        page.get_by_role("link", name="a run").click()

        assert loaded == [0, ""]
        expect(page.locator("h1")).to_contain_text("failed")


def test_links_of_another_site_work(world: World, page: Page, tmp_path: Path) -> None:
    """The first address works as a link of another site. A deep link there leads to a page whose own link leads to the run."""
    world.send(failed_run(tmp_path / "results"))
    with foreign_site() as port:
        for url, title in ((world.server.first, "Pipelines"), (f"{world.server.url}{RUN}", "Unauthorized")):
            page.goto(f"http://localhost:{port}/")
            page.evaluate("(url) => { document.body.innerHTML = `<a href='${url}'>results</a>` }", url)
            page.get_by_role("link", name="results").click()
            expect(page.locator("h1")).to_have_text(title)

        page.get_by_role("link", name=RUN).click()

    expect(page.locator("h1")).to_contain_text("failed")


def test_a_browser_without_the_cookie_is_told_what_to_do(world: World, page: Page, tmp_path: Path) -> None:
    """A deep link in a browser that has not opened the first address leads to a page that says how to go on."""
    world.send(failed_run(tmp_path / "results"))

    page.goto(f"{world.server.url}{RUN}")

    expect(page.locator("main")).to_contain_text("Open the address that the command printed.")
    expect(page.locator("main")).not_to_contain_text("grep")
    page.goto(world.server.first.replace(f"/{ACCOUNT}?", f"{RUN}?"))
    expect(page.locator("h1")).to_contain_text("failed")
