"""Flow runs whose process is killed, and what happens before their guardian has begun to finish them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.stage.boot import LOST_INPUT
from tests.e2e.conftest import NewSite
from tests.support.prefect import prefect_records, workers
from tests.support.site import Site
from tests.support.worker_runs import cancel, has_started, left_by, processes, running

pytestmark = pytest.mark.docker

PIPELINE = """\
meta: {defaults: {img: busybox}}
wait: {run: sleep 600}
tidy: {run: 'echo "the run is $DOCKERCISE_STATUS"', when: always}
"""
TIDY = """'echo "the run is $DOCKERCISE_STATUS"'"""


@contextmanager
def killed(flow_run: str) -> Iterator[None]:
    """Kill the process of a flow run. Its guardian begins only after the body."""
    process, guardian = processes(flow_run)
    guardian.suspend()
    try:
        process.kill()
        process.wait(60)
        yield
    finally:
        guardian.resume()


def entries(site: Site) -> dict[str, Any]:
    """The stages of the oldest record, when it is complete, with their status and value."""
    folder = min(filter(Path.is_dir, (site.folder / "data/results" / site.name).iterdir()))
    prefect_records.eventually((folder / "summary.json").exists, bool)
    found = [json.loads(path.read_text()) for path in folder.glob("*.json") if path.name not in {"index.json", "summary.json"}]
    return {entry["stage"]: (entry["status"], entry["value"]) for entry in found}


def summary(site: Site) -> dict[str, Any]:
    """The summary of the oldest record, when it is complete."""
    folder = min(filter(Path.is_dir, (site.folder / "data/results" / site.name).iterdir()))
    prefect_records.eventually((folder / "summary.json").exists, bool)
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


def states_of_tidy(site: Site, flow_run: str) -> list[str]:
    """The states of all task runs of the clean-up stage."""
    asked = {"flow_runs": {"id": {"any_": [flow_run]}}, "task_runs": {"name": {"any_": ["tidy"]}}}
    return sorted(task["state"]["type"] for task in prefect_records.ask(site.api, "task_runs/filter", asked))


def cancel_and_kill_until_tidy_ends(site: Site, engine: DockerEngine) -> str:
    """Start a run, cancel it, and kill its process. The guardian begins only when the clean-up stage has ended.

    Returns:
        The flow run, after its guardian has ended.
    """
    flow_run = workers.start_run(site.api, site.deployment)
    has_started(engine, flow_run)
    cancel(site.api, flow_run)
    output = f"data/results/{site.name}/*/tidy.out"
    prefect_records.eventually(
        lambda: [path.read_text() for path in site.folder.glob(output)], lambda texts: texts == ["begun\n"]
    )
    _, guardian = processes(flow_run)
    with killed(flow_run):
        prefect_records.eventually(lambda: running(engine, flow_run, "tidy"), lambda found: found == [])
    guardian.wait(240)
    assert left_by(engine, flow_run) == []
    return flow_run


def slots(site: Site, group: str) -> int:
    """How many runs of a group go on, as Prefect counts them."""
    found = prefect_records.ask(site.api, "v2/concurrency_limits/filter", {})
    (limit,) = [each for each in found if each["name"] == f"dockercise {group}"]
    return int(limit["active_slots"])


def worker_has_reported(site: Site) -> bool:
    """Whether the worker has noticed that a process was killed, and has said so to Prefect, a while after Prefect's runner."""
    return "flow_runs.worker - Check whether" in (site.folder / f"worker-{site.name}.log").read_text()


def test_gc_leaves_it_to_the_guardian(new_site: NewSite, busybox: str, docker_session: DockerEngine) -> None:
    """As long as a guardian lives that will finish a run, nobody else ends the run."""
    site = new_site(PIPELINE, {})
    site.register()
    with workers.working(site.name, site.environment, site.folder):
        flow_run = workers.start_run(site.api, site.deployment)
        has_started(docker_session, flow_run)
        cancel(site.api, flow_run)

        with killed(flow_run):
            said = site.command("gc")

        ended = prefect_records.flow_run(site.api, flow_run)
        prefect_records.eventually(lambda: left_by(docker_session, flow_run), lambda left: left == [])

    assert ended.name not in said.out
    assert ended.type == "CANCELLED"
    assert entries(site) == {"wait": ("cancelled", ""), "tidy": ("passed", "the run is cancelled")}


def test_a_retry_is_left_alone(new_site: NewSite, busybox: str, docker_session: DockerEngine) -> None:
    """The guardian of a run ends only what belongs to it, if the flow run has been retried meanwhile."""
    site = new_site(PIPELINE, {})
    site.register()
    with workers.working(site.name, site.environment, site.folder):
        flow_run = workers.start_run(site.api, site.deployment)
        first = has_started(docker_session, flow_run)
        _, guardian = processes(flow_run)
        with killed(flow_run):
            prefect_records.eventually(lambda: worker_has_reported(site), bool)
            prefect_records.ask(site.api, f"flow_runs/{flow_run}/set_state", {"state": {"type": "SCHEDULED"}, "force": True})
            prefect_records.eventually(lambda: running(docker_session, flow_run, "wait"), lambda found: len(found) > 1)

        guardian.wait(240)

        left = running(docker_session, flow_run, "wait")
        state = prefect_records.ask(site.api, f"flow_runs/{flow_run}")["state"]["type"]
        cancel(site.api, flow_run)
        ended = prefect_records.flow_run(site.api, flow_run)
        prefect_records.eventually(lambda: left_by(docker_session, flow_run), lambda left: left == [])

    assert first not in left
    assert (len(left), state) == (1, "RUNNING")
    assert summary(site)["stages"]["wait"]["status"] == "error"
    assert ended.type == "CANCELLED"


def test_a_clean_up_stage_that_has_ended_meanwhile(new_site: NewSite, busybox: str, docker_session: DockerEngine) -> None:
    """A clean-up stage that ends before the guardian looks at it has ended as its container did."""
    site = new_site(PIPELINE.replace(TIDY, "echo begun; sleep 5"), {})
    site.register()
    with workers.working(site.name, site.environment, site.folder):
        flow_run = cancel_and_kill_until_tidy_ends(site, docker_session)

        ended = prefect_records.flow_run(site.api, flow_run)
        tasks = prefect_records.task_runs(site.api, flow_run, 2)

    assert ended.type == "CANCELLED"
    assert {name: status for name, (status, _) in entries(site).items()} == {"wait": "cancelled", "tidy": "passed"}
    assert {name: task.type for name, task in tasks.items()} == {"wait": "CANCELLED", "tidy": "COMPLETED"}


def test_a_clean_up_stage_that_did_not_get_its_variables(new_site: NewSite, busybox: str, docker_session: DockerEngine) -> None:
    """A clean-up stage ends with this exit code if the process dies before it sends the variables. Then it is run again."""
    site = new_site(PIPELINE.replace(TIDY, f"echo begun; sleep 5; exit {LOST_INPUT}"), {})
    site.register()
    with workers.working(site.name, site.environment, site.folder):
        flow_run = cancel_and_kill_until_tidy_ends(site, docker_session)

    assert entries(site)["tidy"] == ("failed", "begun")
    assert states_of_tidy(site, flow_run) == ["CRASHED", "FAILED"]


def test_a_clean_up_stage_that_waits_for_its_next_attempt(
    new_site: NewSite, busybox: str, docker_session: DockerEngine
) -> None:
    """It begins anew, with all of its attempts. Prefect shows both task runs."""
    flaky = "{run: echo failed; exit 3, when: always, retries: {times: 1, delay: 15s}}"
    site = new_site(PIPELINE.replace(f"{{run: {TIDY}, when: always}}", flaky), {})
    site.register()
    with workers.working(site.name, site.environment, site.folder):
        flow_run = workers.start_run(site.api, site.deployment)
        has_started(docker_session, flow_run)
        cancel(site.api, flow_run)
        body = {"flow_runs": {"id": {"any_": [flow_run]}}, "task_runs": {"state": {"name": {"any_": ["AwaitingRetry"]}}}}
        prefect_records.eventually(lambda: prefect_records.ask(site.api, "task_runs/filter", body), lambda found: found != [])

        with killed(flow_run):
            pass

        ended = prefect_records.flow_run(site.api, flow_run)
        prefect_records.eventually(lambda: left_by(docker_session, flow_run), lambda left: left == [])

    assert ended.type == "CANCELLED"
    assert entries(site)["tidy"] == ("failed", "failed")
    prefect_records.eventually(lambda: states_of_tidy(site, flow_run), lambda states: states == ["CRASHED", "FAILED"])


def test_what_a_stage_with_no_log_had_printed_stays_hidden(
    new_site: NewSite, busybox: str, docker_session: DockerEngine
) -> None:
    """Nobody knows any more what it has printed. So a clean-up stage that may print the same shows nothing."""
    pipeline = PIPELINE.replace("{run: sleep 600}", "{run: 'echo hush-$((6 * 7))-hush | tee wait/id; sleep 600', noLog: true}")
    site = new_site(pipeline.replace(f"{{run: {TIDY},", "{run: 'cat /wait/id; test -s /wait/id', vol: wait,"), {})
    site.register()
    with workers.working(site.name, site.environment, site.folder):
        flow_run = workers.start_run(site.api, site.deployment)
        has_started(docker_session, flow_run)
        cancel(site.api, flow_run)

        with killed(flow_run):
            pass

        prefect_records.flow_run(site.api, flow_run)
        prefect_records.eventually(lambda: left_by(docker_session, flow_run), lambda left: left == [])
        log = prefect_records.ask(site.api, "logs/filter", {"logs": {"flow_run_id": {"any_": [flow_run]}}})

    assert entries(site)["tidy"] == ("passed", None)
    assert "hush-42" not in json.dumps(log)
    records = [path.read_bytes() for path in (site.folder / "data/results").rglob("*") if path.is_file()]
    assert not [text for text in records if b"hush-42" in text]


def test_the_slot_of_a_run_is_free_when_it_has_ended(new_site: NewSite, busybox: str, docker_session: DockerEngine) -> None:
    """A run that does not overlap with others keeps its slot while its guardian cleans up, and returns it at once."""
    group = f"group-{uuid.uuid4().hex[:8]}"
    site = new_site(PIPELINE.replace("meta: {", f"meta: {{concurrency: {{limit: 1, group: {group}}}, "), {})
    site.register()
    with workers.working(site.name, site.environment, site.folder):
        flow_run = workers.start_run(site.api, site.deployment)
        has_started(docker_session, flow_run)
        before = slots(site, group)
        cancel(site.api, flow_run)

        with killed(flow_run):
            pass

        prefect_records.flow_run(site.api, flow_run)
        prefect_records.eventually(lambda: left_by(docker_session, flow_run), lambda left: left == [])
        after = prefect_records.eventually(lambda: slots(site, group), lambda found: found == 0, 20)

    assert (before, after) == (1, 0)
