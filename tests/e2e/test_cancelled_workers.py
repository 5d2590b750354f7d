"""Flow runs of registered repositories that are cancelled while a worker runs them as processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from dockercise_prefect.runtime.docker.engine import DockerEngine
from tests.e2e.conftest import NewSite
from tests.support.prefect import prefect_records, workers
from tests.support.prefect.prefect_pages import open_page
from tests.support.site import Site
from tests.support.worker_runs import cancel, has_started, left_by, processes

pytestmark = pytest.mark.docker

PIPELINE = """\
meta: {defaults: {img: busybox}}
wait: {run: sleep 600}
next: {run: 'true', after: wait}
tidy: {run: 'echo "the run is $DOCKERCISE_STATUS"', when: always}
"""
TIDY = """'echo "the run is $DOCKERCISE_STATUS"'"""


@pytest.fixture
def site(new_site: NewSite, busybox: str) -> Site:
    """The repository, registered."""
    site = new_site(PIPELINE, {})
    site.register()
    return site


def record(site: Site) -> dict[str, Any]:
    """The stages of the only record, with their status and value."""
    (folder,) = filter(Path.is_dir, (site.folder / "data/results" / site.name).iterdir())
    entries = [json.loads((folder / f"{name}.json").read_text()) for name in ("wait", "next", "tidy")]
    return {entry["stage"]: (entry["status"], entry["value"]) for entry in entries}


def printed(site: Site, stage: str) -> str:
    """The log of a stage of the only record, so far."""
    return "".join(path.read_text() for path in (site.folder / "data/results" / site.name).glob(f"*/{stage}.log"))


CLEANED_UP = {
    "wait": ("cancelled", ""),
    "next": ("not_started", None),
    "tidy": ("passed", "the run is cancelled"),
}


def test_cancelled_in_prefect(site: Site, docker_session: DockerEngine) -> None:
    """Stages are stopped, clean-up runs, the flow run ends as Cancelled, the record is complete, and the engine is clean."""
    with workers.working(site.name, site.environment, site.folder):
        flow_run = workers.start_run(site.api, site.deployment)
        has_started(docker_session, flow_run)

        cancel(site.api, flow_run)

        ended = prefect_records.flow_run(site.api, flow_run)
        tasks = prefect_records.task_runs(site.api, flow_run, 2)

    assert (ended.type, ended.state) == ("CANCELLED", "Cancelled")
    assert record(site) == CLEANED_UP
    assert {name: task.type for name, task in tasks.items()} == {"wait": "CANCELLED", "tidy": "COMPLETED"}
    prefect_records.eventually(lambda: left_by(docker_session, flow_run), lambda left: left == [])


@pytest.mark.browser
def test_cancelled_in_the_ui(site: Site, docker_session: DockerEngine, page: Page) -> None:
    """The button *Cancel* on the flow run's page does the same as a request to the API, and the log names no other way."""
    with workers.working(site.name, site.environment, site.folder):
        flow_run = workers.start_run(site.api, site.deployment)
        has_started(docker_session, flow_run)
        button = page.get_by_role("button", name="Cancel", exact=True)
        open_page(page, f"{site.api.removesuffix('/api')}/runs/flow-run/{flow_run}", button)

        button.click()
        page.get_by_role("button", name="Confirm").click()

        ended = prefect_records.flow_run(site.api, flow_run)
        expect(page.get_by_text("Cancelled").first).to_be_visible()
        log = prefect_records.logs(site.api, flow_run, "Finished in state")

    assert not [line for line in log if "dockercise cancel" in line]
    assert (ended.type, ended.state) == ("CANCELLED", "Cancelled")
    assert record(site) == CLEANED_UP
    prefect_records.eventually(lambda: left_by(docker_session, flow_run), lambda left: left == [])


def kill(flow_run: str) -> None:
    """Kill the process of a flow run, as a worker does with one that takes too long to end."""
    process, _guardian = processes(flow_run)
    process.kill()


def test_killed_while_it_is_cancelled(site: Site, docker_session: DockerEngine) -> None:
    """If the process is killed while its run is being cancelled, the guardian finishes the run."""
    with workers.working(site.name, site.environment, site.folder):
        flow_run = workers.start_run(site.api, site.deployment)
        has_started(docker_session, flow_run)

        cancel(site.api, flow_run)
        kill(flow_run)

        ended = prefect_records.flow_run(site.api, flow_run)
        prefect_records.eventually(lambda: left_by(docker_session, flow_run), lambda left: left == [])
        tasks = prefect_records.task_runs(site.api, flow_run, 2)

    assert (ended.type, ended.state) == ("CANCELLED", "Cancelled")
    assert record(site) == CLEANED_UP
    assert {name: task.type for name, task in tasks.items()} == {"wait": "CANCELLED", "tidy": "COMPLETED"}


def test_killed_for_no_reason(site: Site, docker_session: DockerEngine) -> None:
    """A process that is killed although nobody asked for its end: the flow run is Crashed, and no clean-up stage runs."""
    with workers.working(site.name, site.environment, site.folder):
        flow_run = workers.start_run(site.api, site.deployment)
        has_started(docker_session, flow_run)

        kill(flow_run)

        prefect_records.eventually(lambda: left_by(docker_session, flow_run), lambda left: left == [])
        ended = prefect_records.flow_run(site.api, flow_run)

    (summary,) = (site.folder / "data/results" / site.name).glob("*/summary.json")
    stages = json.loads(summary.read_text())["stages"]
    assert ended.type == "CRASHED"
    assert {name: stage["status"] for name, stage in stages.items()} == {
        "wait": "error",
        "next": "not_started",
        "tidy": "not_started",
    }


def test_killed_during_its_cleanup(new_site: NewSite, busybox: str, docker_session: DockerEngine) -> None:
    """A clean-up stage that runs when the process is killed goes on, and is not run again."""
    slow = "begin; sleep 6; echo end; echo x >> /tidy/times; wc -l < /tidy/times"
    site = new_site(PIPELINE.replace("sleep 600", "echo go; sleep 600").replace(TIDY, f"'echo {slow}'"), {})
    site.register()
    with workers.working(site.name, site.environment, site.folder):
        flow_run = workers.start_run(site.api, site.deployment)
        has_started(docker_session, flow_run)
        cancel(site.api, flow_run)
        prefect_records.eventually(lambda: printed(site, "tidy"), lambda text: "begin" in text)

        kill(flow_run)

        ended = prefect_records.flow_run(site.api, flow_run)
        prefect_records.eventually(lambda: left_by(docker_session, flow_run), lambda left: left == [])

    assert ended.type == "CANCELLED"
    assert record(site) == {
        "wait": ("cancelled", "go"),
        "next": ("not_started", None),
        "tidy": ("passed", "begin\nend\n1"),
    }
    assert "the process of the run died here" in printed(site, "tidy")


@pytest.mark.acceptance
def test_a_grace_that_is_longer_than_the_workers_patience(
    new_site: NewSite, busybox: str, docker_session: DockerEngine
) -> None:
    """A stage may take longer to end than a worker waits: it gets one SIGTERM and its whole grace, then clean-up stages run."""
    script = 'trap "echo asked; sleep 40; echo ended; exit 7" TERM; echo go; while :; do sleep 1; done'
    slow = f"wait: {{stopGrace: 90s, run: '{script}'}}"
    site = new_site(PIPELINE.replace("wait: {run: sleep 600}", slow), {})
    site.register()
    with workers.working(site.name, site.environment, site.folder):
        flow_run = workers.start_run(site.api, site.deployment)
        has_started(docker_session, flow_run)
        cancel(site.api, flow_run)

        prefect_records.eventually(lambda: left_by(docker_session, flow_run), lambda left: left == [])
        ended = prefect_records.flow_run(site.api, flow_run)

    assert ended.type == "CANCELLED"
    assert record(site) == CLEANED_UP | {"wait": ("cancelled", "go\nasked\nended")}


def test_the_worker_is_shut_down(site: Site, docker_session: DockerEngine) -> None:
    """A worker that is asked to end takes its flow runs along. They end as Cancelled, and their clean-up stages run."""
    with workers.working(site.name, site.environment, site.folder):
        flow_run = workers.start_run(site.api, site.deployment)
        has_started(docker_session, flow_run)

    prefect_records.eventually(lambda: left_by(docker_session, flow_run), lambda left: left == [])
    # The worker calls it Crashed, perhaps before the guardian has come to its end.
    ended = prefect_records.eventually(
        lambda: prefect_records.flow_run(site.api, flow_run), lambda ended: ended.type == "CANCELLED"
    )

    assert ended.state == "Cancelled"
    assert record(site) == CLEANED_UP
