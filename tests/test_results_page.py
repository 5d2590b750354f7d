"""The page on results: the commands print what it shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from click.testing import CliRunner

from dockercise_prefect.archives.tarball import File, Folder, tar_stream
from dockercise_prefect.aws.parameters import HostConfig
from dockercise_prefect.cli import dockercise
from dockercise_prefect.pipeline import Pipeline, stage, to_json
from dockercise_prefect.results.record.file_names import packed_log
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.results.record.store import Kept
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.status import RunStatus, StageStatus
from tests.compiler.sources import compiled
from tests.support.aws.moto import running_aws
from tests.support.results_command import showing
from tests.test_user_pages import blocks

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/results.md").read_text()
CONSOLE = {command: shown for block in blocks(PAGE, "console") for command, _, shown in [block.partition("\n")]}
(PIPELINE,) = blocks(PAGE, "yaml")

HOME = "/home/ada/.local/share/dockercise/results"
FAILED, PASSED = re.findall(r"^(\d{8}T\d{6}Z-\w{4}) ", CONSOLE["$ dockercise runs"], re.MULTILINE)[::-1]
SERVED = "$ dockercise aws results"
TITLE = b"<title>Shop</title><h1>Shop</h1>\n"


class Run:
    """One of the page's two runs, as its store recorded it; the times are those of the original run."""

    def __init__(self, results: Path, pipeline: Pipeline, run_id: str, began: str, flow_run: str) -> None:
        self._store = LocalStore(results, pipeline.name, run_id)
        self._store.start(to_json(pipeline))
        self._began = datetime.fromisoformat(began)
        self._known = {"run_id": run_id, "pipeline": pipeline.name, "flow_run_id": flow_run, "results": self._store.url}
        self._stages: dict[str, StageSummary] = {}

    def after(self, seconds: float) -> str:
        """The time so many seconds after the run began."""
        return (self._began + timedelta(seconds=seconds)).isoformat()

    def ran(self, name: str, start: float, seconds: float, log: bytes, failed: str | None = None) -> None:
        """Add a stage that ran, printed this, and failed with this message or passed."""
        writer = self._store.log(name)
        writer.write(log)
        writer.close()
        output = self._store.output(name)
        output.write(log)
        output.close()
        status = StageStatus.FAILED if failed else StageStatus.PASSED
        times = self.after(start), self.after(start + seconds)
        self._keep(name, StageSummary(status, 1 if failed else 0, *times, message=failed))

    def not_started(self, name: str, why: str) -> None:
        """Add a stage that will never start."""
        self._keep(name, StageSummary(StageStatus.NOT_STARTED, message=why))

    def end(self, status: RunStatus, seconds: float) -> None:
        """End the run, in which `build` left its files."""
        page = File(path="build/site/index.html", size=len(TITLE), content=lambda: [TITLE])
        self._store.keep_volume("build", tar_stream([Folder(path="build"), Folder(path="build/site"), page]))
        self._store.bundle_outputs([])
        self._store.keep_report("")
        url = f"http://127.0.0.1:4200/runs/flow-run/{self._known['flow_run_id']}"
        times = {"started": self.after(0), "finished": self.after(seconds)}
        self._store.finish(RunSummary(status=status, flow_run_url=url, stages=self._stages, **self._known, **times))

    def _keep(self, name: str, summary: StageSummary) -> None:
        self._store.stage_ended(name, summary, Kept())
        self._stages[name] = summary


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The records of the page's two runs."""
    folder = tmp_path / "results"
    pipeline = compiled(shop=PIPELINE)
    first = Run(folder, pipeline, FAILED, "2026-11-26T12:07:56.909314+00:00", "8d699978-a0c4-4609-99ea-bd7c0849ec29")
    first.ran("build", 0.1, 0.6, b"index.html\n")
    first.ran("count", 0.7, 0.3, b"14\n")
    first.ran("check", 0.7, 0.4, b"looking for a title\n", failed="exit code 1\nlooking for a title")
    first.not_started("publish", "not started: check failed")
    first.end(RunStatus.FAILED, 1.150435)
    second = Run(folder, pipeline, PASSED, "2026-11-26T12:08:00.943084+00:00", "821b7a79-cad4-43b5-877c-c1e87f92bf25")
    second.ran("build", 0.1, 0.4, b"index.html\n")
    second.ran("check", 0.5, 0.3, b"looking for a title\n" + TITLE)
    second.ran("count", 0.6, 0.4, b"33\n")
    second.ran("publish", 1.0, 0.2, b"published\n")
    second.end(RunStatus.PASSED, 1.303473)
    monkeypatch.setenv("DOCKERCISE_RESULTS", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.parametrize("command", [command for command in CONSOLE if command != SERVED])
def test_commands_print_what_is_shown(results: Path, command: str) -> None:
    """Each command on the page prints the lines below it."""
    said = CliRunner().invoke(dockercise, command.removeprefix("$ dockercise ").split())

    assert said.exit_code == 0
    assert said.stdout.replace(str(results), HOME) == CONSOLE[command]


IN_THE_BROWSER = {
    "/ACCOUNT": PASSED,
    "/ACCOUNT/PIPELINE": FAILED,
    "/ACCOUNT/PIPELINE/RUN": "What went wrong",
    "/ACCOUNT/PIPELINE/RUN#stage=STAGE": 'id="stage=check"',
    "/ACCOUNT/PIPELINE/RUN/STAGE.log": "looking for a title\n",
}
"""The addresses in the table for the browser, and what their pages contain."""


@pytest.mark.docker  # for the server of AWS
def test_results_in_a_browser(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command for a bucket prints what is shown, and the addresses in the table lead to what the table says."""
    (bucket,) = re.findall(r"s3://([^/]+)/results in account", CONSOLE[SERVED])
    names = {"ACCOUNT": "123456789012", "PIPELINE": "shop", "RUN": FAILED, "STAGE": "check"}
    monkeypatch.delenv("DOCKERCISE_RESULTS")
    with running_aws() as aws:
        folder = aws.write_folder(tmp_path / "aws")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
        aws.bucket(bucket)
        for file in (path for path in results.rglob("*") if path.is_file()):
            aws.client("s3").upload_file(str(file), bucket, f"results/{file.relative_to(results)}")
        host = dict.fromkeys((field.name for field in fields(HostConfig)), "x") | {
            "bucket": bucket,
            "idle_minutes": 10,
            "jobs": False,
        }
        aws.client("ssm").put_parameter(Name="/dockercise/dockercise/host", Value=json.dumps(host), Type="String")

        with showing(os.environ) as shown, httpx.Client(timeout=120, trust_env=False) as browser:
            browser.get(shown.first)
            addresses = {path: re.sub("[A-Z]{3,}", lambda name: names[name[0]], path) for path in IN_THE_BROWSER}
            pages = {path: browser.get(httpx.URL(shown.first).join(address)).text for path, address in addresses.items()}

    first = re.sub(r"token=\S+", "token=…", re.sub(r":\d+/", ":8300/", shown.first))
    assert f"{shown.place}\n{first}\n" == CONSOLE[SERVED]
    assert list(IN_THE_BROWSER) == re.findall(r"^\| .* \|.*`(/ACCOUNT\S*)` \|$", PAGE, re.MULTILINE)
    assert [path for path, text in IN_THE_BROWSER.items() if text not in pages[path]] == []


def test_fetch_brings_what_the_page_says(results: Path, tmp_path: Path) -> None:
    """The files of the example are in the place that the page names."""
    CliRunner().invoke(dockercise, ["fetch", "last", "build", "shop-site"])

    assert (tmp_path / "shop-site/site/index.html").read_bytes() == TITLE


ZSTD = """#!{python}
import sys, zstandard
zstandard.ZstdDecompressor().copy_stream(open(sys.argv[2], "rb"), sys.stdout.buffer)
"""
"""Does the same as `zstd -dc`, which may not be installed."""


def test_a_relative_archive_can_be_unpacked_by_hand(tmp_path: Path) -> None:
    """The commands on the page make the same files from two archives as `fetch`, also where files of the base changed."""
    build = stage("build", image="bb:1", run="x")
    pipeline = Pipeline("shop", [build, stage("test", image="bb:1", run="x", on=build)])
    store = LocalStore(tmp_path, "shop", "run-1")
    store.start(to_json(pipeline))
    base, changed = tmp_path / "build", tmp_path / "test"
    (base / "folder").mkdir(parents=True)
    (base / "emptied").mkdir()
    for name in ("same", "two names", "gone\n", "file", "folder/inside", "-f"):
        (base / name).write_text(name)
    (base / "again").hardlink_to(base / "two names")
    subprocess.run(["cp", "-a", base, changed], check=True)
    (changed / "two names").write_text("other")
    (changed / "gone\n").unlink()
    (changed / "-f").unlink()
    (changed / "file").unlink()
    (changed / "file").mkdir()
    shutil.rmtree(changed / "folder")
    (changed / "folder").write_text("now a file")
    (changed / "emptied").rmdir()
    (changed / "emptied").symlink_to("same")
    for name in ("build", "test"):
        tar = subprocess.run(["tar", "-C", tmp_path, "-cf", "-", "--sort=name", name], check=True, stdout=subprocess.PIPE)
        store.keep_volume(name, [tar.stdout])
    (tmp_path / "zstd").write_text(ZSTD.format(python=sys.executable))
    (tmp_path / "zstd").chmod(0o755)

    (by_hand,) = (block for block in blocks(PAGE, "sh") if "test.removed" in block)
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-ec", f"set -o pipefail; {by_hand}"], check=True, cwd=store.folder, env=os.environ | {"PATH": path}
    )

    subprocess.run(["diff", "-r", "--no-dereference", store.folder / "test", changed], check=True)
    assert (store.folder / "test/again").samefile(store.folder / "test/two names")
    store.leave(RunSummary("run-1", "shop", RunStatus.PASSED))


def test_every_file_is_told(results: Path) -> None:
    """The layout on the page lists every file of a record."""
    told = re.findall(r"^ {6}(\S+\.\S+)  ", PAGE, re.MULTILINE)
    there = {re.sub(r"^(build|check|count|publish)\b", "<stage>", path.name) for path in (results / "shop" / PASSED).iterdir()}

    assert there | {packed_log("<stage>")} == set(told)


def test_every_link_leads_somewhere() -> None:
    """The files that the page links to exist, and so do the headings in them."""
    for link in re.findall(r"\]\(([^):]+)\)", PAGE):
        path, fragment = urlsplit(link).path, unquote(urlsplit(link).fragment)
        target = ROOT / "docs" / (path or "results.md")
        assert target.is_file(), link

        headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE) if fragment else []
        assert not fragment or fragment in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
