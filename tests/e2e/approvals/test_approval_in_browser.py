"""A run that waits for an approval, in Prefect's UI, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.runtime.docker.engine import DockerEngine
from tests.support.prefect import prefect_records
from tests.support.prefect.prefect_pages import open_page
from tests.support.running_command import PATIENCE, running, until

pytestmark = [pytest.mark.docker, pytest.mark.browser]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a pipeline that asks; at the end nothing of its runs may be left on the engine."""
    folder = tmp_path / f"pipeline-{tmp_path.name}"
    folder.mkdir()
    (folder / "p.dockercise.yaml").write_text(
        "meta: {defaults: {img: busybox}}\n"
        "build: {run: 'true'}\n"
        "deploy: {run: echo deploying, after: build, approve: 'Deploy to **production**?'}\n"
        "smoke: {run: 'true', after: deploy}\n"
        "clean: {run: 'true', after: deploy, when: always}\n"
    )
    yield folder
    with closing(DockerEngine.connect()) as engine:
        left = [left for left in engine.leftovers() if left.labels.get("dockercise.pipeline") == folder.name]
    assert left == []


def stages(environment: dict[str, str], folder: Path) -> dict[str, Any]:
    """The stages of the only record."""
    (place,) = filter(Path.is_dir, (Path(environment["DOCKERCISE_DATA"]) / "results" / folder.name).iterdir())
    found: dict[str, Any] = json.loads((place / "summary.json").read_text())["stages"]
    return found


@pytest.mark.usefixtures("busybox")
@pytest.mark.parametrize(("answer", "ended"), [("yes", "passed"), ("no", "skipped")])
def test_answered_in_the_ui(  # noqa: PLR0917  fixtures
    folder: Path, environment: dict[str, str], prefect_api: str, page: Page, answer: str, ended: str
) -> None:
    """Resume on the page of the run shows the question and a form; the run goes on with the answer, and has the name."""
    with running(folder, environment) as (process, lines):
        url = until(lines, "/runs/flow-run/").strip()
        until(lines, "to answer, type")
        button = page.get_by_role("button", name="Resume", exact=True)
        open_page(page, url, button)
        button.click()

        dialog = page.locator(".p-modal__card")
        expect(dialog.get_by_text("Deploy to **production**?")).to_be_visible()
        dialog.locator(".p-select-button__control").press("ArrowDown")
        page.locator(".p-select-option", has_text=answer).click()
        dialog.locator("textarea").fill("ada")
        dialog.get_by_role("button", name="Submit").click()

        until(lines, f"deploy: {'approved' if answer == 'yes' else 'refused'} by ada (not verified)")
        status = process.wait(PATIENCE)

    flow_run = url.rpartition("/")[2]
    left = stages(environment, folder)
    assert status == ExitStatus.DONE
    assert {name: left[name]["status"] for name in left} == {
        "build": "passed",
        "deploy": ended,
        "smoke": ended,
        "clean": "passed",
    }
    assert {"answer": answer, "by": "ada"}.items() <= left["deploy"]["approval"].items()
    assert prefect_records.flow_run(prefect_api, flow_run).state == "Completed"
