"""What Prefect shows of a run: states, edges, names, events and lines. The engine is scripted, the server a real one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.orchestration.run.events import StageOutput
from dockercise_prefect.settings import Settings
from dockercise_prefect.status import RunStatus, StageStatus
from tests.engines.scripted import Behaviour, ScriptedEngine
from tests.orchestration.running import RunIt, sh
from tests.support.prefect import prefect_records

pytestmark = pytest.mark.docker  # for the Prefect server: the engine is scripted


def test_a_run_that_passes_is_completed_in_prefect_with_every_edge(
    run: RunIt, scripted: ScriptedEngine, prefect_api: str
) -> None:
    """Each stage is one task run of its name; the graph has all edges, and the flow run has its run id and tags."""
    scripted.script("echo version", Behaviour(stdout=b"1.10\n"))
    version = sh("version", "echo version")
    build = sh("build", "make", env={"VERSION": version.value})
    end = sh("☃ {end}".replace(" ", "-"), "true", after=[version], volumes=[build.volume])

    ran = run(version, build, end)

    tasks = prefect_records.task_runs(prefect_api, ran.summary.flow_run_id or "", 3)
    flow_run = prefect_records.flow_run(prefect_api, ran.summary.flow_run_id or "")
    assert ran.exit_status == 0
    assert set(ran.statuses.values()) == {StageStatus.PASSED}
    assert {name: task.needs for name, task in tasks.items()} == {
        "version": frozenset(),
        "build": {"version"},
        "☃-{end}": {"version", "build"},
    }
    assert {task.state for task in tasks.values()} == {"Completed"}
    assert (flow_run.name, flow_run.type) == (ran.summary.run_id, "COMPLETED")
    assert flow_run.tags == {"nightly", "pipeline:hello"}
    assert ran.summary.flow_run_url == f"{prefect_api.removesuffix('/api')}/runs/flow-run/{ran.summary.flow_run_id}"


def test_a_failed_stage_says_how_and_the_next_is_not_started(run: RunIt, scripted: ScriptedEngine, prefect_api: str) -> None:
    """The task run is Failed with exit code and last lines; stages after it are NotStarted and name it; others go on."""
    scripted.script("grep", Behaviour(stderr=b"grep: no match\n", exit_code=2))
    check = sh("check", "grep")
    publish = sh("publish", "publish", after=[check])
    announce = sh("announce", "announce", after=[publish])
    other = sh("other", "other")

    ran = run(check, publish, announce, other)

    tasks = prefect_records.task_runs(prefect_api, ran.summary.flow_run_id or "", 4)
    flow_run = prefect_records.flow_run(prefect_api, ran.summary.flow_run_id or "")
    assert ran.exit_status == ExitStatus.STAGE_FAILED
    assert ran.statuses == {
        "check": StageStatus.FAILED,
        "publish": StageStatus.NOT_STARTED,
        "announce": StageStatus.NOT_STARTED,
        "other": StageStatus.PASSED,
    }
    assert (tasks["check"].state, tasks["check"].message) == ("Failed", "exit code 2\ngrep: no match")
    assert (tasks["announce"].state, tasks["announce"].message) == ("NotStarted", "not started: check failed")
    assert tasks["announce"].needs == {"publish"}
    assert (flow_run.state, flow_run.message) == ("Failed", "failed: check (exit code 2)")


def test_what_never_runs_has_no_length_in_the_graph(run: RunIt, scripted: ScriptedEngine, prefect_api: str) -> None:
    """A stage that never starts is over as soon as this is known, keeps its edges, and never ran."""
    scripted.script("grep", Behaviour(exit_code=2))
    check = sh("check", "grep")
    publish = sh("publish", "publish", after=[check])

    ran = run(check, publish, sh("announce", "announce", after=[check, publish]))

    flow_run_id = ran.summary.flow_run_id or ""
    prefect_records.task_runs(prefect_api, flow_run_id, 3)
    nodes = {node["label"]: node for _, node in prefect_records.ask(prefect_api, f"flow_runs/{flow_run_id}/graph-v2")["nodes"]}
    body = {"task_runs": {"name": {"any_": ["announce"]}}, "flow_runs": {"id": {"any_": [flow_run_id]}}}
    (announce,) = prefect_records.ask(prefect_api, "task_runs/filter", body)
    assert {name: node["state_type"] for name, node in nodes.items()} == {
        "check": "FAILED",
        "publish": "CANCELLED",
        "announce": "CANCELLED",
    }
    assert {parent["id"] for parent in nodes["announce"]["parents"]} == {nodes["check"]["id"], nodes["publish"]["id"]}
    assert nodes["announce"]["start_time"] == nodes["announce"]["end_time"] is not None
    assert (announce["run_count"], announce["total_run_time"]) == (0, 0.0)


def test_the_flow_run_has_one_name_from_its_first_line_on(run: RunIt, prefect_api: str) -> None:
    """Prefect's log uses the same name for the flow run as its title and its record."""
    ran = run(sh("a", "true"))

    log = prefect_records.logs(prefect_api, ran.summary.flow_run_id or "", "Finished in state")
    assert f"Beginning flow run '{ran.summary.run_id}' for flow 'hello'" in log


def test_the_log_of_a_run_without_a_deployment_says_how_to_cancel_it(run: RunIt, prefect_api: str) -> None:
    """The line comes before all that stages print, with the id that `dockercise cancel` accepts."""
    ran = run(sh("a", "true"))

    _, second, *_ = prefect_records.logs(prefect_api, ran.summary.flow_run_id or "", "Finished in state")
    assert second.startswith(f"to cancel this run, type `dockercise cancel {ran.summary.run_id}`. ")


def test_a_failure_is_found_in_the_log_by_its_level(run: RunIt, scripted: ScriptedEngine, prefect_api: str) -> None:
    """A failed stage is an error with its last lines, a tolerated one is a warning, and no object of ours is dumped."""
    scripted.script("grep", Behaviour(stderr=b"grep: no match\n", exit_code=2))
    scripted.script("tidy", Behaviour(exit_code=3))

    ran = run(sh("check", "grep"), sh("tidy", "tidy", never_fail=True))

    flow_run_id = ran.summary.flow_run_id or ""
    everything = prefect_records.logs(prefect_api, flow_run_id, "Finished in state Failed('failed")
    body = {"logs": {"flow_run_id": {"any_": [flow_run_id]}, "level": {"ge_": 30}}}
    serious = {(line["level"], line["message"]) for line in prefect_records.ask(prefect_api, "logs/filter", body)}
    assert {(40, "exit code 2\ngrep: no match"), (30, "exit code 3, tolerated (neverFail)")} <= serious
    assert not [line for line in everything if " object at 0x" in line or "NoneType: None" in line]


def test_events_of_a_run_carry_its_tags_from_the_first_on(run: RunIt, prefect_api: str) -> None:
    """Automations match the tags of events, so every event of the flow run has the tags of the flow run."""
    ran = run(sh("a", "true"))

    flow_run_id = ran.summary.flow_run_id or ""
    body = {"filter": {"resource": {"id": [f"prefect.flow-run.{flow_run_id}"]}}}
    events = prefect_records.eventually(
        lambda: prefect_records.ask(prefect_api, "events/filter", body)["events"],
        lambda found: {"prefect.flow-run.Pending", "prefect.flow-run.Completed"} <= {event["event"] for event in found},
    )
    for event in events:
        tags = {one["prefect.resource.id"] for one in event["related"] if one["prefect.resource.role"] == "tag"}
        assert tags == {"prefect.tag.nightly", "prefect.tag.pipeline:hello"}, event["event"]


def test_a_tolerated_stage_and_a_lost_engine_have_states_of_their_own(
    run: RunIt, scripted: ScriptedEngine, prefect_api: str
) -> None:
    """A tolerated exit code is Completed under its own name; a stage that we lost is Crashed and decides the exit status."""
    scripted.script("tolerate-me", Behaviour(exit_code=3))
    scripted.script("lose-engine", Behaviour(engine_dies=True))
    lint = sh("lint", "tolerate-me", never_fail=True)

    ran = run(lint, sh("lost", "lose-engine", after=[lint]))

    tasks = prefect_records.task_runs(prefect_api, ran.summary.flow_run_id or "", 2)
    assert ran.exit_status == ExitStatus.ENGINE_FAILED
    assert ran.summary.status is RunStatus.ERROR
    assert (tasks["lint"].type, tasks["lint"].state) == ("COMPLETED", "Tolerated")
    assert (tasks["lost"].type, tasks["lost"].state) == ("CRASHED", "Crashed")


def test_a_timeout_is_a_state_of_its_own(run: RunIt, scripted: ScriptedEngine, prefect_api: str) -> None:
    """The task run of a stage that took too long is TimedOut, and the run fails."""
    scripted.script("too-long", Behaviour(blocks=True))

    ran = run(sh("slow", "too-long", timeout=0.05))

    tasks = prefect_records.task_runs(prefect_api, ran.summary.flow_run_id or "", 1)
    assert ran.exit_status == ExitStatus.STAGE_FAILED
    assert ran.statuses == {"slow": StageStatus.TIMED_OUT}
    assert (tasks["slow"].type, tasks["slow"].state) == ("FAILED", "TimedOut")


def test_nothing_of_a_nolog_stage_is_shown_or_kept(run: RunIt, scripted: ScriptedEngine, prefect_api: str) -> None:
    """The consumers get its output, and nothing else does: no event, log line, state message or file."""
    scripted.script("print-secret", Behaviour(stdout=b"hunter2-hunter2\n", stderr=b"hunter2-hunter2\n"))
    scripted.script("fail-secretly", Behaviour(stderr=b"hunter2-hunter2\n", exit_code=1))
    secret = sh("secret", "print-secret", no_log=True)

    ran = run(secret, sh("failing", "fail-secretly", no_log=True), sh("user", "use", env={"SECRET": secret.value}))

    stdin = next(one.stdin for one in scripted.runs if b"SECRET" in one.stdin)
    log = prefect_records.logs(prefect_api, ran.summary.flow_run_id or "", "Finished in state Failed('failed")
    tasks = prefect_records.task_runs(prefect_api, ran.summary.flow_run_id or "", 3)
    kept = b"".join(path.read_bytes() for path in ran.folder.rglob("*") if path.is_file())
    assert b"hunter2-hunter2" in stdin
    assert "hunter2" not in "".join(log)
    assert "hunter2" not in f"{tasks}{ran.events}{ran.summary}{kept!r}"


def test_lines_reach_prefect_up_to_the_budget_and_the_record_whole(
    run: RunIt, scripted: ScriptedEngine, settings: Settings, prefect_api: str
) -> None:
    """Above the budget, one line names the place of the whole log; the observer and the record get every line."""
    scripted.script("talk", Behaviour(stdout=b"".join(b"line %d\n" % number for number in range(50))))

    ran = run(sh("talk", "talk"), settings=replace(settings, log_lines=10))

    log = prefect_records.logs(prefect_api, ran.summary.flow_run_id or "", "Finished in state Completed()")
    assert "line 9" in log
    assert "line 10" not in log
    assert sum(1 for line in log if "more lines follow" in line and f"of talk is in {ran.folder.as_uri()}" in line) == 1
    assert [event.line for event in ran.events if isinstance(event, StageOutput)] == [f"line {n}" for n in range(50)]
    assert (ran.folder / "talk.log").read_bytes().count(b"\n") == 50


def test_the_server_records_many_states_at_once_and_all_of_them(run: RunIt, prefect_api: str) -> None:
    """The states of stages that run at the same time are written together, and each task run has all of its states."""
    stages = [sh(f"s{number}", "true") for number in range(30)]

    ran = run(*stages)

    flow_run_id = ran.summary.flow_run_id or ""
    prefect_records.task_runs(prefect_api, flow_run_id, len(stages))
    found = prefect_records.ask(prefect_api, "task_runs/filter", {"flow_runs": {"id": {"any_": [flow_run_id]}}})
    states = {
        one["name"]: [state["name"] for state in prefect_records.ask(prefect_api, f"task_run_states/?task_run_id={one['id']}")]
        for one in found
    }
    assert {name: sorted(names) for name, names in states.items()} == {
        one.name: ["Completed", "Pending", "Running"] for one in stages
    }
    assert len({one["updated"] for one in found}) < len(found)
