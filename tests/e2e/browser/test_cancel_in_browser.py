"""`dockercise run` and Prefect's UI, in a real browser: what the page of the run says about cancelling, and its Cancel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.orchestration.prefect.cancelling import how_to_cancel
from dockercise_prefect.runtime.docker.engine import DockerEngine
from scripts.screenshot import VIEW
from tests.e2e.conftest import Dockercise
from tests.support.prefect import prefect_records
from tests.support.prefect.prefect_pages import open_page, window
from tests.support.running_command import PATIENCE, running, until

pytestmark = [pytest.mark.docker, pytest.mark.browser]

NARROW = 639
"""The width in pixels below which the V1 UI has all of its buttons in the menu."""

HEEDS = "trap 'echo asked; sleep 1; echo ended; exit 1' TERM; while :; do sleep 0.1; done"
"""A script that is asked to end, and uses some of its grace period for it."""

IGNORES = "trap '' TERM; echo up; while :; do sleep 0.1; done"
"""A script that goes on until it is killed."""

KILLED = 128 + 9
"""The exit code of a container that got SIGKILL."""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for one pipeline; at the end nothing of its runs may be left on the engine."""
    folder = tmp_path / f"pipeline-{tmp_path.name}"
    folder.mkdir()
    yield folder
    with closing(DockerEngine.connect()) as engine:
        left = [left for left in engine.leftovers() if left.labels.get("dockercise.pipeline") == folder.name]
    assert left == []


def write(folder: Path, stages: str) -> Path:
    (folder / "p.dockercise.yaml").write_text(f"meta: {{defaults: {{img: busybox}}}}\n{stages}")
    return folder


def record(environment: dict[str, str], folder: Path) -> dict[str, Any]:
    """All JSON files of the only record, by their names."""
    (place,) = filter(Path.is_dir, (Path(environment["DOCKERCISE_DATA"]) / "results" / folder.name).iterdir())
    return {file.stem: json.loads(file.read_text()) for file in place.glob("*.json")}


def test_cancelled_in_the_ui(folder: Path, environment: dict[str, str], busybox: str, prefect_api: str, page: Page) -> None:
    """Cancel in the menu of a narrow window ends a run as Ctrl-C does; in a wide window the button is off."""
    write(
        folder,
        f'heeds: {{run: "{HEEDS}", stopGrace: 5m}}\n'
        f'ignores: {{run: "{IGNORES}", stopGrace: 2s, after: ready}}\n'
        "ready: {run: 'true'}\n"
        "next: {run: 'true', after: heeds}\n"
        "clean: {run: 'echo \"the run is $DOCKERCISE_STATUS\"', after: [heeds, ignores], when: always}\n",
    )
    with running(folder, environment) as (process, lines):
        url = until(lines, "/runs/flow-run/").strip()
        until(lines, "up")
        button = page.get_by_role("button", name="Cancel", exact=True)
        open_page(page, url, button)
        expect(button).to_be_disabled()

        page.set_viewport_size({"width": NARROW, "height": VIEW["height"]})
        page.locator(".flow-run-menu").click()
        page.get_by_text("Cancel", exact=True).click()
        page.get_by_role("button", name="Confirm").click()

        status = process.wait(PATIENCE)
        expect(page.get_by_text("Cancelled", exact=True).first).to_be_visible()

    flow_run = url.rpartition("/")[2]
    ended = prefect_records.flow_run(prefect_api, flow_run)
    tasks = prefect_records.task_runs(prefect_api, flow_run, 4)
    left = record(environment, folder)
    assert status == ExitStatus.INTERRUPTED
    assert (ended.type, ended.state) == ("CANCELLED", "Cancelled")
    assert {name: task.type for name, task in tasks.items()} == {
        "heeds": "CANCELLED",
        "ignores": "CANCELLED",
        "ready": "COMPLETED",
        "clean": "COMPLETED",
    }
    assert {name: (left[name]["status"], left[name]["value"]) for name in ("heeds", "ignores", "ready", "next", "clean")} == {
        "heeds": ("cancelled", "asked\nended"),
        "ignores": ("cancelled", "up"),
        "ready": ("passed", ""),
        "next": ("not_started", None),
        "clean": ("passed", "the run is cancelled"),
    }
    assert left["ignores"]["exit_code"] == KILLED
    assert (left["summary"]["status"], left["summary"]["error"]) == ("cancelled", None)


def test_the_page_says_how_to_cancel(dockercise_run: Dockercise, folder: Path, browser: Browser, prefect_api: str) -> None:
    """The log on the page of a run has the command that cancels it, in both UIs."""
    ran = dockercise_run("-C", write(folder, "a: {run: 'true'}\n")).summary

    for ui in ("", "/v2"):
        with window(browser, viewport=VIEW) as page:
            line = page.get_by_text(how_to_cancel(ran["run_id"]))
            open_page(page, f"{prefect_api.removesuffix('/api')}{ui}/runs/flow-run/{ran['flow_run_id']}", line)
            expect(line).to_be_visible()
