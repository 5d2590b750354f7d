"""The pages of a bucket: a real server on loopback, and AWS's protocol on loopback."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dockercise_prefect.archives.tarball import File, Folder
from dockercise_prefect.errors import StorageError
from dockercise_prefect.orchestration.run.report import drawing, report
from dockercise_prefect.pipeline import Pipeline, stage
from dockercise_prefect.results.places.bucket import Bucket
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.places.s3 import S3Objects
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.report.runs_page import update_runs_page
from dockercise_prefect.results.serving.site import Site
from dockercise_prefect.settings import read_settings
from dockercise_prefect.status import RunStatus, StageStatus
from tests.support.aws.moto import Aws, running_aws
from tests.support.recorded_runs import SHOP, Recorded, failed_run, ran, run_id
from tests.support.served_results import served

pytestmark = pytest.mark.docker  # for the server of AWS

ACCOUNT = "123456789012"
NAME = "results-of-mine"


class World:
    """A bucket with records, and a browser that reads them.

    Attributes:
        requests: how many requests of each kind the bucket has got.
    """

    def __init__(self, objects: S3Objects, browser: httpx.Client, folder: Path) -> None:
        self.objects = objects
        self.browser = browser
        self.folder = folder
        self.requests: Counter[str] = Counter()
        objects._client.meta.events.register("before-call.s3", lambda model, **_: self.requests.update([model.name]))

    def send(self, run: Recorded, pipeline: str = "shop") -> None:
        """Send a record in its present state."""
        for file in run.folder.iterdir():
            with file.open("rb") as content:
                self.objects.put(f"{pipeline}/{run.run_id}/{file.name}", content)

    def page(self, path: str) -> str:
        """A page."""
        answer = self.browser.get(path)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        return answer.text

    def status(self, path: str) -> int:
        """The status of an answer that has nothing of the bucket."""
        answer = self.browser.get(path)
        assert "only for the cache" not in answer.text
        return answer.status_code

    def asked(self, path: str) -> Counter[str]:
        """The requests that the bucket gets for a page."""
        self.requests.clear()
        self.page(path)
        return Counter(self.requests)


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    """An AWS with a bucket."""
    with running_aws() as aws:
        aws.bucket(NAME)
        yield aws


@pytest.fixture
def world(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[World]:
    """A place for records that only this test uses, and its server."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    folder = aws.write_folder(tmp_path / ".aws")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    objects = S3Objects(Bucket(NAME, f"tests/{request.node.name.partition('[')[0]}"), read_settings())
    with served(Site(ACCOUNT, objects, drawing).app()) as server, server.admitted() as browser:
        yield World(objects, browser, tmp_path / "results")


def test_the_way_from_the_account_to_a_log(world: World) -> None:
    """Each page links to the next one: accounts, pipelines, runs, a run, its files."""
    world.send(failed_run(world.folder))
    run = f"/{ACCOUNT}/shop/{run_id()}"

    assert f'href="/{ACCOUNT}"' in world.page("/")
    assert f'href="/{ACCOUNT}/shop"' in world.page(f"/{ACCOUNT}")
    assert f'href="{run}"' in world.page(f"/{ACCOUNT}/shop")
    page = world.page(run)
    assert f'href="{run}/check.log"' in page
    assert f'href="/{ACCOUNT}/shop"' in page
    log = world.browser.get(f"{run}/check.log")
    assert (log.content, log.headers["content-type"]) == (b"looking\ngrep: no match\n", "text/plain; charset=utf-8")


def test_a_run_is_shown_as_in_its_report(world: World) -> None:
    """The page has the state, what went wrong, the graph, the logs and the duration of each stage."""
    world.send(failed_run(world.folder))

    page = world.page(f"/{ACCOUNT}/shop/{run_id()}")

    assert '<span class="state failed">failed</span>' in page
    assert "What went wrong" in page
    assert "<svg" in page
    assert "grep: no match" in page
    assert "It has noLog: its output is not kept." in page
    assert "data-refresh" not in page


def test_pipelines_are_listed_with_their_newest_run(world: World) -> None:
    """The list of an account says how the newest run of each pipeline ended; the cache of stages is no pipeline."""
    other = Pipeline("deploy / ☃", [stage("only", image="bb:1", run="true")])
    world.send(failed_run(world.folder, number=0))
    passed = Recorded(world.folder, number=1)
    passed.end()
    world.send(passed)
    world.objects.put(".cache/stage.json", (world.folder / "shop" / run_id() / "index.json").open("rb"))
    named = Recorded(world.folder, Pipeline("☃ <b>", list(other)), number=2)
    named.end(RunStatus.FAILED, error="no disk")
    world.send(named, "☃ <b>")

    page = world.page(f"/{ACCOUNT}")

    assert f'<a href="/{ACCOUNT}/shop/{run_id(1)}">' in page
    assert run_id(0) not in page
    assert f'<a href="/{ACCOUNT}/%E2%98%83%20%3Cb%3E">☃ &lt;b&gt;</a>' in page
    assert "no disk" in page
    assert "/.cache" not in page


def test_an_empty_place_has_no_pipelines(world: World) -> None:
    """Before the first run, the page says so."""
    assert "There is no run yet." in world.page(f"/{ACCOUNT}")


def test_a_run_that_goes_on_shows_itself_again(world: World) -> None:
    """A run without an end has its stages so far, and its page loads itself again until it has ended."""
    run = Recorded(world.folder)
    run.stage("greet", ran(StageStatus.PASSED, 0, 1), b"hello\n")
    run.stage("check", ran(StageStatus.RUNNING, 1, 1))
    world.send(run)
    path = f"/{ACCOUNT}/shop/{run_id()}"

    going_on = world.page(path)
    listing = world.page(f"/{ACCOUNT}/shop")
    run.end()
    world.send(run)
    ended = world.page(path)

    assert '<span class="state unfinished">unfinished</span>' in going_on
    assert 'data-refresh="5"' in going_on
    assert "▸ running" in going_on
    assert "waiting" in going_on
    assert 'data-refresh="15"' in listing
    assert "running, or interrupted" in listing
    assert '<span class="state passed">passed</span>' in ended
    assert "data-refresh" not in ended


def test_a_run_that_goes_on_is_read_again_only_where_it_changed(world: World) -> None:
    """A page that is shown again takes one list, and reads what is new. One of a run that has ended reads nothing."""
    run = Recorded(world.folder)
    run.stage(
        "greet", ran(StageStatus.PASSED, 0, 1), b"hello\n", [Folder(path="greet"), File(path="greet/a", size=0, content=list)]
    )
    world.send(run)
    path = f"/{ACCOUNT}/shop/{run_id()}"
    world.page(path)

    unchanged = world.asked(path)
    run.stage("check", ran(StageStatus.PASSED, 1, 1), b"looking\n")
    world.send(run)
    changed = world.asked(path)

    assert unchanged == {"ListObjectsV2": 1}
    assert changed == {"ListObjectsV2": 1, "GetObject": 2}  # the stage's end, and its log


def test_old_runs_are_on_further_pages(world: World) -> None:
    """A page has 50 runs, newest first, and takes one list; of a run that has ended, two objects are read, once."""
    for number in range(120):
        run = Recorded(world.folder, number=number)
        run.end()
        world.send(run)
    update_runs_page(world.objects, "shop")

    first = world.asked(f"/{ACCOUNT}/shop")
    again = world.asked(f"/{ACCOUNT}/shop")
    newest = world.page(f"/{ACCOUNT}/shop")
    middle = world.page(f"/{ACCOUNT}/shop?before={run_id(70)}")
    last = world.page(f"/{ACCOUNT}/shop?before={run_id(20)}")

    assert (first, again) == ({"ListObjectsV2": 1, "GetObject": 100}, {"ListObjectsV2": 1})
    assert newest.index(f"/{run_id(119)}") < newest.index(f"/{run_id(70)}")
    assert f'href="/{ACCOUNT}/shop?before={run_id(70)}"' in newest
    assert (f"/{run_id(69)}" in newest, f"/{run_id(69)}" in middle, f"/{run_id(20)}" in middle) == (False, True, True)
    assert (f"/{run_id(19)}" in last, f"/{run_id(0)}" in last, "older runs" in last) == (True, True, False)


def test_a_volume_is_a_link_that_is_signed_at_the_click(world: World, aws: Aws) -> None:
    """A large object comes from the bucket: as a download, for a few minutes, without credentials. Nothing becomes public."""
    run = Recorded(world.folder)
    content = b"<script>alert(1)</script>"
    file = File(path="greet/site.html", size=len(content), content=lambda: [content])
    run.stage("greet", ran(StageStatus.PASSED, 0, 1), b"hello\n", [Folder(path="greet"), file])
    run.end()
    world.send(run)

    clicked = world.browser.get(f"/{ACCOUNT}/shop/{run_id()}/greet.tar.zst")
    link = clicked.headers["location"]
    downloaded = httpx.get(link, timeout=60)

    assert clicked.status_code == 302
    assert downloaded.content == (run.folder / "greet.tar.zst").read_bytes()
    assert downloaded.headers["content-type"] == "application/octet-stream"
    assert downloaded.headers["content-disposition"] == "attachment; filename*=UTF-8''greet.tar.zst"
    assert httpx.URL(link).params["X-Amz-Expires"] == "300"
    acl = aws.client("s3").get_object_acl(Bucket=NAME, Key=httpx.URL(link).path.removeprefix(f"/{NAME}/"))
    assert [grant["Grantee"]["ID"] for grant in acl["Grants"]] == [acl["Owner"]["ID"]]


def test_a_long_log_can_be_read_without_a_program(world: World) -> None:
    """A log that is stored compressed is there as text too, and the page shows its beginning and its end."""
    run = Recorded(world.folder)
    lines = b"".join(b"line %d\n" % number for number in range(200_000))
    run.stage("greet", ran(StageStatus.PASSED, 0, 1), lines)
    run.end()
    world.send(run)
    path = f"/{ACCOUNT}/shop/{run_id()}"

    page = world.page(path)
    text = world.browser.get(f"{path}/greet.log")
    packed = world.browser.get(f"{path}/greet.log.zst")

    assert (text.content, text.headers["content-type"]) == (lines, "text/plain; charset=utf-8")
    assert packed.status_code == 302
    assert f'href="{path}/greet.log"' in page
    assert "line 0\n" in page
    assert "line 199999\n" in page
    assert "line 100000\n" not in page


def test_a_log_that_the_bucket_did_not_give_is_there_the_next_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the bucket fails for a moment, the page is without a log, and complete when it is loaded again."""
    world.send(failed_run(world.folder))
    path = f"/{ACCOUNT}/shop/{run_id()}"
    chunks = S3Objects.chunks

    def failing(self: S3Objects, wanted: str, start: int = 0) -> Iterator[bytes]:
        if wanted.endswith(".log"):
            raise StorageError("no answer")
        return chunks(self, wanted, start)

    with monkeypatch.context() as patched:
        patched.setattr(S3Objects, "chunks", failing)
        broken = world.page(path)
    whole = world.page(path)

    assert 'aria-label="Log of check"' not in broken
    assert 'aria-label="Log of check"' in whole


def test_text_of_a_stage_is_never_a_page(world: World) -> None:
    """What stages print and are called is shown as text: no browser takes a file for a page, and no markup works."""
    name = "<script>alert(1)</script>&%2F?#".replace("/", "|")
    run = Recorded(world.folder, Pipeline("shop", [stage(name, image="bb:1", run="true")]))
    run.stage(name, ran(StageStatus.FAILED, 0, 1, 1, "<script>alert(2)</script>"), b"<script>alert(3)</script>\n")
    run.end(RunStatus.FAILED)
    world.send(run)

    page = world.browser.get(f"/{ACCOUNT}/shop/{run_id()}")
    (link,) = [part.split('"')[0] for part in page.text.split('href="')[1:] if part.split('"')[0].endswith(".log")]
    log = world.browser.get(link)
    entry = world.browser.get(link.removesuffix(".log") + ".json")

    assert "<script>alert" not in page.text
    assert page.headers["content-security-policy"].count("sha256-") == 3
    assert log.content == b"<script>alert(3)</script>\n"
    for answer in (log, entry):
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
    assert json.loads(entry.content)["message"] == "<script>alert(2)</script>"


@pytest.mark.parametrize(
    "path",
    [
        "/210987654321",
        "/210987654321/shop",
        f"/{ACCOUNT}/nothing",
        f"/{ACCOUNT}/.cache",
        f"/{ACCOUNT}/.cache/{run_id()}",
        f"/{ACCOUNT}/.cache/{run_id()}/secret.json",
        f"/{ACCOUNT}/%2E%2E",
        f"/{ACCOUNT}/shop/{run_id(7)}",
        f"/{ACCOUNT}/shop/last",
        f"/{ACCOUNT}/shop/%2E%2E",
        f"/{ACCOUNT}/shop/index.html",
        f"/{ACCOUNT}/shop/{run_id()}/nothing.log",
        f"/{ACCOUNT}/shop/{run_id()}/%2E%2E",
        f"/{ACCOUNT}/shop/{run_id()}/%2E%2E%2F%2E%2E%2F.cache%2Fsecret.json",
        f"/{ACCOUNT}/shop/{run_id()}/../../../../../elsewhere/secret.json",
        f"/{ACCOUNT}/shop%2F..%2F..%2F..%2Felsewhere/{run_id()}/secret.json",
        f"/{ACCOUNT}/shop/{run_id()}/%00",
        f"/{ACCOUNT}/%FF/{run_id()}",
        f"/{ACCOUNT}/shop?before=../x",
        f"/{ACCOUNT}/shop?before={run_id(0)}",
        "/favicon.ico",
        "/a/b/c/d/e",
    ],
)
def test_no_path_leads_elsewhere(world: World, aws: Aws, path: str) -> None:
    """Other accounts, other prefixes of the bucket, the cache, and what does not exist: there is no such page."""
    world.send(failed_run(world.folder))
    secret = b"only for the cache"
    for key in (f"elsewhere/{run_id()}/secret.json", "elsewhere/secret.json", "tests/elsewhere/secret.json"):
        aws.client("s3").put_object(Bucket=NAME, Key=key, Body=secret)
    for name in ("secret.json", "index.json"):
        aws.client("s3").put_object(
            Bucket=NAME, Key=f"tests/test_no_path_leads_elsewhere/.cache/{run_id()}/{name}", Body=secret
        )

    assert world.status(path) == 404


def test_a_broken_record_is_shown_as_far_as_it_can_be_read(world: World) -> None:
    """If an object is not what a run writes, the page says which one, and shows the rest."""
    run = failed_run(world.folder)
    (run.folder / "summary.json").write_bytes(b"{")
    world.send(run)

    page = world.page(f"/{ACCOUNT}/shop/{run_id()}")

    assert "summary.json is broken" in page
    assert "grep: no match" in page
    assert "broken" in world.page(f"/{ACCOUNT}/shop")


def test_a_record_that_somebody_has_made_up_is_shown_too(world: World) -> None:
    """JSON that is nested too deeply, and the name of a stage that is not valid Unicode, do not keep the page from the user."""
    run = failed_run(world.folder)
    (run.folder / "check.json").write_bytes(b"[" * 100_000)
    summary = json.loads((run.folder / "summary.json").read_bytes())
    summary["stages"]["\ud800"] = summary["stages"]["check"]
    (run.folder / "summary.json").write_text(json.dumps(summary))
    world.send(run)

    assert "grep: no match" in world.page(f"/{ACCOUNT}/shop/{run_id()}")


def test_a_bucket_that_refuses_is_a_page_with_what_to_do(world: World) -> None:
    """If AWS refuses, the page says why and what to do, and the server goes on."""
    objects = S3Objects(Bucket("no-such-bucket", ""), read_settings())
    with served(Site(ACCOUNT, objects, drawing).app()) as server, server.admitted() as browser:
        for path in (f"/{ACCOUNT}", f"/{ACCOUNT}/shop", f"/{ACCOUNT}/shop/{run_id()}"):
            answer = browser.get(path)

            assert answer.status_code == 502
            assert "NoSuchBucket" in answer.text
            assert "create the bucket" in answer.text
        assert browser.get("/").status_code == 200


def test_the_page_is_the_report_of_the_run(world: World) -> None:
    """What the page shows is what the report of the run shows, with other links."""
    run = failed_run(world.folder)
    summary = RecordedRun(FolderObjects(world.folder), "shop", run.run_id).summary()
    assert summary is not None
    there = report(run.folder, SHOP, summary)
    world.send(run)

    here = world.page(f"/{ACCOUNT}/shop/{run_id()}")

    own_links = here.replace(f"/{ACCOUNT}/shop/{run_id()}/", "").replace(f'"/{ACCOUNT}/shop"', '"../index.html"')
    shown = [text.partition("<body>")[2].partition("<script>")[0] for text in (own_links, there)]
    assert shown[0] == shown[1] != ""
