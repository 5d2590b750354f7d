"""A failed run in both of Prefect's UIs, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from scripts.screenshot import open_artifact
from tests.e2e.conftest import Dockercise, Said
from tests.support.prefect.prefect_records import ask, task_runs

pytestmark = [pytest.mark.docker, pytest.mark.browser]

PIPELINE = """\
meta: {name: shop, defaults: {img: busybox}}
build: {run: mkdir "$OUT/site"; echo built}
look: {vol: build, run: "echo '<i>```|[x](y)'; echo no title; exit 3"}
count: {vol: build, run: ls build/site | wc -l}
publish: {after: [look, count], run: echo published}
"""


@pytest.fixture
def failed(dockercise_run: Dockercise, tmp_path: Path) -> Said:
    """A run whose second stage fails."""
    root = tmp_path / "shop"
    root.mkdir()
    (root / "shop.dockercise.yaml").write_text(PIPELINE, encoding="utf-8")
    return dockercise_run("-C", root)


def followed(page: Page, link: Locator) -> Page:
    """The page that a link leads to, in a separate window."""
    with page.context.expect_page() as opened:
        link.click(modifiers=["ControlOrMeta"])
    return opened.value


@pytest.mark.parametrize("ui", ["", "/v2"])
def test_a_run_that_failed_shows_what_and_leads_there(failed: Said, page: Page, prefect_api: str, ui: str) -> None:
    """Failures come first, with the end of their output; a click on a stage leads to its task run, and then to its artifact.

    Links stay in the UI and at the address that the reader uses.
    Prefect's list of artifacts shows how each ended. Output of stages stays text.
    """
    flow_run_id = failed.summary["flow_run_id"]
    base = prefect_api.removesuffix("/api").replace("127.0.0.1", "localhost") + ui
    artifacts = ask(prefect_api, "artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [flow_run_id]}}})
    run = next(artifact["id"] for artifact in artifacts if artifact["key"] == "shop-run")

    open_artifact(page, f"{base}/artifacts/artifact/{run}")
    states = page.locator("table").first.locator("tbody td:first-child")
    expect(states).to_contain_text(["failed", "not started", "passed", "passed"])
    expect(page.locator("pre").first).to_have_text("<i>```|[x](y)\nno title")

    task_runs(prefect_api, flow_run_id, 4)  # Prefect records them with a delay
    stage = followed(page, page.get_by_role("link", name="look", exact=True))
    assert stage.url.startswith(f"{base}/runs/task-run/")
    stage.get_by_text("Artifacts", exact=True).last.click()
    expect(stage.get_by_text(re.compile("exit code 3$"))).to_be_visible()
    stage.get_by_text("shop-stage-look", exact=True).click()
    expect(stage.locator("table").first).to_contain_text("✗ failed")
    expect(stage.locator("pre").first).to_have_text("<i>```|[x](y)\nno title")
    stage.close()
