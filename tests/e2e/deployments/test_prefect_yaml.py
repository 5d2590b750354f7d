"""`deployments/prefect.yaml`: Prefect's own command deploys the flows, a worker runs them, and the UI shows coming runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from dockercise_prefect.orchestration.prefect.local_server import LocalServer
from scripts.screenshot import TO_COME, VIEW, open_upcoming
from tests.e2e.deployments.conftest import command
from tests.support.deploy_images import ROOT
from tests.support.prefect import prefect_records
from tests.support.prefect.prefect_pages import window

pytestmark = pytest.mark.docker

NEXT_WEEK = "runs?type=span&seconds=604800&state=Scheduled&deployment="
TO_COME_AT_SEVEN = re.compile(rf"{TO_COME}\d{{4}}/\d\d/\d\d 07:00:00 AM")


@pytest.fixture(scope="module")
def environment_of_all(server: LocalServer) -> dict[str, str]:
    """The session's server, and commands as in an active environment."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return os.environ | {"PREFECT_API_URL": server.api_url, "PATH": path, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def checkout(
    environment_of_all: Mapping[str, str], server: LocalServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Another checkout of the project, with all flows deployed by the command in the documentation."""
    checkout = tmp_path_factory.mktemp("checkout")
    for name in ("deployments", "flows"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    command("prefect", "work-pool", "create", "dockercise", "--type", "process", "--overwrite", env=environment_of_all)
    command("sh", "-c", "cd deployments && prefect deploy --all", cwd=checkout, env=environment_of_all)
    yield checkout
    for name in ("hello", "infra"):
        command("prefect", "deployment", "delete", f"{name}/{name}", env=environment_of_all)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window of a user in Berlin."""
    with window(browser, viewport=VIEW, timezone_id="Europe/Berlin") as page:
        yield page


def deployment(server: LocalServer, name: str) -> dict[str, Any]:
    """Prefect's data about a deployment."""
    found: dict[str, Any] = prefect_records.ask(server.api_url, f"deployments/name/{name}/{name}")
    return found


def test_one_command_deploys_all_flows(checkout: Path, server: LocalServer) -> None:
    """Both examples are deployed to the pool, and one has its schedule."""
    hello, infra = deployment(server, "hello"), deployment(server, "infra")

    assert {each["work_pool_name"] for each in (hello, infra)} == {"dockercise"}
    assert [each["schedule"]["cron"] for each in hello["schedules"]] == ["0 7 * * *"]
    assert [each["schedule"]["timezone"] for each in hello["schedules"]] == ["Europe/Berlin"]
    assert infra["schedules"] == []


def test_a_worker_started_anywhere_finds_the_flows(
    checkout: Path, environment_of_all: Mapping[str, str], server: LocalServer, busybox: str, tmp_path: Path
) -> None:
    """The run takes place in the checkout that was deployed, wherever its worker was started."""
    flow_run = prefect_records.ask(server.api_url, f"deployments/{deployment(server, 'hello')['id']}/create_flow_run", {})
    environment = {**environment_of_all, "DOCKERCISE_DATA": str(tmp_path / "data")}

    command("prefect", "worker", "start", "--pool", "dockercise", "--run-once", cwd=tmp_path, env=environment)

    ended = prefect_records.flow_run(server.api_url, flow_run["id"])
    assert (ended.type, ended.message) == ("COMPLETED", None)
    (summary,) = (tmp_path / "data/results/hello").glob("*/summary.json")
    assert json.loads(summary.read_text())["status"] == "passed"


@pytest.mark.browser
def test_the_ui_shows_when_it_will_run(checkout: Path, server: LocalServer, page: Page) -> None:
    """A deployment's page lists its next runs, and the page of all runs shows them on the days of the next week."""
    hello, ui = deployment(server, "hello"), server.api_url.removesuffix("/api")
    of_hello = {"deployments": {"id": {"any_": [hello["id"]]}}, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    prefect_records.eventually(
        lambda: prefect_records.ask(server.api_url, "flow_runs/filter", of_hello), lambda found: len(found) == 3
    )

    open_upcoming(page, f"{ui}/deployments/deployment/{hello['id']}?tab=Upcoming")

    expect(page.get_by_text("At 07:00 AM every day")).to_be_visible()
    expect(page.get_by_text(TO_COME_AT_SEVEN)).to_have_count(3)
    days = page.get_by_text(TO_COME).all_inner_texts()
    assert days == sorted(set(days))

    open_upcoming(page, f"{ui}/{NEXT_WEEK}{hello['id']}")

    expect(page.get_by_text(TO_COME_AT_SEVEN)).to_have_count(3)
    expect(page.get_by_text("3 runs", exact=True)).to_be_visible()
    assert sorted(page.get_by_text(TO_COME).all_inner_texts()) == days
