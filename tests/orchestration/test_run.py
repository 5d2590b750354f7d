"""A run from its flow run to its summary, on a scripted engine and a real Prefect server."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from prefect.blocks.system import Secret

from dockercise_prefect.errors import EngineError, ExitStatus
from dockercise_prefect.orchestration.events import EngineFound, Event, Notice, RunEnded, StageOutput
from dockercise_prefect.orchestration.failure import RunFailedError
from dockercise_prefect.orchestration.launch import launch, pipeline_flow
from dockercise_prefect.orchestration.options import RunOptions
from dockercise_prefect.pipeline import Pipeline, Stage, host, stage
from dockercise_prefect.results.place import open_objects
from dockercise_prefect.results.records import Records
from dockercise_prefect.results.run_list import listed
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.settings import Settings, read_settings
from dockercise_prefect.status import RunStatus, StageStatus
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine
from tests.support import prefect_records

pytestmark = pytest.mark.docker  # for the Prefect server: the engine is scripted


@dataclass
class Ran:
    """What a run came to."""

    summary: RunSummary
    failure: RunFailedError | None
    events: list[Event]

    @property
    def exit_status(self) -> int:
        """As the command would end."""
        return self.failure.exit_status if self.failure else ExitStatus.DONE

    @property
    def statuses(self) -> dict[str, StageStatus]:
        """Of each stage."""
        return {name: entry.status for name, entry in self.summary.stages.items()}

    @property
    def folder(self) -> Path:
        """Where the record is."""
        return Path(urlsplit(self.summary.results or "").path)


@pytest.fixture
def settings(tmp_path: Path, data_folder: Path) -> Settings:
    """Results go to the test's folder, the server is the session's."""
    return replace(read_settings(), results=str(tmp_path / "results"), data=data_folder, jobs=4)


@pytest.fixture
def scripted() -> ScriptedEngine:
    """An engine that does what the test says."""
    return ScriptedEngine()


RunIt = Callable[..., Ran]


@pytest.fixture
def run(prefect_api: str, settings: Settings, scripted: ScriptedEngine, tmp_path: Path) -> RunIt:
    """Runs stages as the command does."""

    def run_it(*stages: Stage, targets: tuple[str, ...] = (), **how: object) -> Ran:
        events: list[Event] = []
        pipeline = Pipeline("hello", stages, tags=["nightly"])
        options = replace(RunOptions(settings=settings, engine=scripted, observer=events.append), **how)  # type: ignore[arg-type]  # free keywords
        try:
            return Ran(launch(pipeline, tmp_path / "root", targets, options), None, events)
        except RunFailedError as failure:
            return Ran(failure.summary, failure, events)

    return run_it


def sh(name: str, script: str, **keys: object) -> Stage:
    """A stage of the image that both engines have."""
    return stage(name, image=BUSYBOX, run=script, **keys)  # type: ignore[arg-type]  # free keywords


def test_a_run_that_passes_is_completed_in_prefect_with_every_edge(
    run: RunIt, scripted: ScriptedEngine, prefect_api: str
) -> None:
    """Each stage is one task run of its name, the graph has the pipeline's edges, the flow run its run id and tags."""
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
    """The task run is Failed with exit code and last lines; those behind it are NotStarted naming it; other branches go on."""
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
    """A stage that is not started is over in the moment in which that is known, keeps its edges, and never ran."""
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
    """Prefect's log calls the flow run what its title and its record do."""
    ran = run(sh("a", "true"))

    log = prefect_records.logs(prefect_api, ran.summary.flow_run_id or "", "Finished in state")
    assert f"Beginning flow run '{ran.summary.run_id}' for flow 'hello'" in log


def test_a_failure_is_found_in_the_log_by_its_level(run: RunIt, scripted: ScriptedEngine, prefect_api: str) -> None:
    """What a failed stage came to is an error with its last lines, a tolerated one a warning; no object of ours is dumped."""
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
    """Automations match on the tags of events, so every event of the flow run has those that the flow run has."""
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


def test_a_run_whose_results_cannot_be_written_any_more_is_listed_as_ended(
    run: RunIt, settings: Settings, scripted: ScriptedEngine, tmp_path: Path
) -> None:
    """Where the folder does not take the summary, the data folder does, and whoever lists the runs reads it there."""
    settings = replace(settings, data=tmp_path / "data")

    def lose(_call: object) -> None:
        (folder,) = (tmp_path / "results/hello").iterdir()
        (folder / "summary.json").mkdir()  # from here on there is no way to write the file

    scripted.script("lose", Behaviour(action=lose))

    ran = run(sh("a", "lose"), settings=settings)

    (listing,) = listed(Records(open_objects(settings.results, settings)).runs())
    assert ran.exit_status == ExitStatus.ENGINE_FAILED
    assert listing.status == "error"
    assert listing.summary is not None
    assert listing.summary.stages["a"].status is StageStatus.PASSED


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_while_a_run_ends_leaves_it_cancelled(
    number: signal.Signals, settings: Settings, scripted: ScriptedEngine, prefect_api: str, tmp_path: Path
) -> None:
    """One signal before the stages and one when all is told: the run is Cancelled in Prefect, not Crashed."""

    def interrupt(event: Event) -> None:
        if isinstance(event, EngineFound | RunEnded):
            signal.raise_signal(number)

    options = RunOptions(settings=settings, engine=scripted, observer=interrupt)
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGHUP,)}  # the tests may run under nohup

    with pytest.raises(RunFailedError) as failed:
        launch(Pipeline("hello", [sh("a", "true")]), tmp_path / "root", (), options)
    for each, handler in before.items():
        signal.signal(each, handler)

    flow_run = prefect_records.flow_run(prefect_api, failed.value.summary.flow_run_id or "")
    assert failed.value.exit_status == ExitStatus.INTERRUPTED
    assert flow_run.state == "Cancelled"


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
    """The task run of a stage that took too long is TimedOut, and the run failed."""
    scripted.script("too-long", Behaviour(blocks=True))

    ran = run(sh("slow", "too-long", timeout=0.05))

    tasks = prefect_records.task_runs(prefect_api, ran.summary.flow_run_id or "", 1)
    assert ran.exit_status == ExitStatus.STAGE_FAILED
    assert ran.statuses == {"slow": StageStatus.TIMED_OUT}
    assert (tasks["slow"].type, tasks["slow"].state) == ("FAILED", "TimedOut")


def test_the_record_is_what_is_returned(run: RunIt, scripted: ScriptedEngine) -> None:
    """`summary.json` is the summary, `index.json` the pipeline, each stage has its entry with its value, and its log."""
    scripted.script("two-lines", Behaviour(stdout=b"  one\ntwo \n", stderr=b"noise\n"))

    ran = run(sh("a", "two-lines"), sh("b", "quiet"))

    assert json.loads((ran.folder / "summary.json").read_text()) == json.loads(json.dumps(ran.summary.to_json()))
    assert list(json.loads((ran.folder / "index.json").read_text())["stages"]) == ["a", "b"]
    assert json.loads((ran.folder / "a.json").read_text())["value"] == "one\ntwo"
    assert sorted((ran.folder / "a.log").read_text().split("\n")) == sorted(["  one", "two ", "noise", ""])


def test_nothing_of_a_nolog_stage_is_shown_or_kept(run: RunIt, scripted: ScriptedEngine, prefect_api: str) -> None:
    """Its output reaches its consumers and nothing else: no event, no log line, no state message, no file."""
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
    """Beyond the budget one line says where the whole log is; the observer and the record get every line."""
    scripted.script("talk", Behaviour(stdout=b"".join(b"line %d\n" % number for number in range(50))))

    ran = run(sh("talk", "talk"), settings=replace(settings, log_lines=10))

    log = prefect_records.logs(prefect_api, ran.summary.flow_run_id or "", "Finished in state Completed()")
    assert "line 9" in log
    assert "line 10" not in log
    assert sum(1 for line in log if "more lines follow" in line and f"of talk is in {ran.folder.as_uri()}" in line) == 1
    assert [event.line for event in ran.events if isinstance(event, StageOutput)] == [f"line {n}" for n in range(50)]
    assert (ran.folder / "talk.log").read_bytes().count(b"\n") == 50


def test_missing_variables_stop_the_run_before_any_container(run: RunIt, scripted: ScriptedEngine, prefect_api: str) -> None:
    """All of them are listed, the exit status is 2, the flow run is Failed, and the record says what was to run."""
    ran = run(
        sh("a", "true", env={"SURELY_MISSING": host("SURELY_MISSING")}, at="x.dockercise.yaml:1:1"),
        sh("b", "true", env={"ALSO_MISSING": host("also_missing")}, at="x.dockercise.yaml:2:1"),
    )

    flow_run = prefect_records.flow_run(prefect_api, ran.summary.flow_run_id or "")
    assert ran.exit_status == ExitStatus.WRONG_INPUT
    assert scripted.runs == []
    assert "x.dockercise.yaml:1:1" in str(ran.failure)
    assert "also_missing" in str(ran.failure)
    assert flow_run.type == "FAILED"
    assert set(ran.statuses.values()) == {StageStatus.NOT_STARTED}
    assert json.loads((ran.folder / "summary.json").read_text())["status"] == "error"


def test_where_variables_come_from_first_to_last(
    run: RunIt, scripted: ScriptedEngine, prefect_api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flag wins over a file, that over the process's environment, that over a Secret block; flags are no parameters."""
    for name in ("FROM_FLAG", "FROM_FILE", "FROM_PROCESS"):
        monkeypatch.setenv(name, "process")
    cast("Any", Secret)(value="block-value").save("from-block", overwrite=True, _sync=True)
    names = ("FROM_FLAG", "FROM_FILE", "FROM_PROCESS", "FROM_BLOCK")

    ran = run(
        sh("use", "use", env={name: host(name) for name in names}),
        flags={"FROM_FLAG": "flag"},
        file_variables={"FROM_FLAG": "file", "FROM_FILE": "file"},
    )

    stdin = scripted.runs[-1].stdin.decode()
    flow_run = prefect_records.flow_run(prefect_api, ran.summary.flow_run_id or "")
    found = {name: next(line for line in stdin.splitlines() if line.startswith(f"command export {name}=")) for name in names}
    assert [line.split("=", 1)[1].strip("'") for line in found.values()] == ["flag", "file", "process", "block-value"]
    assert flow_run.parameters["env"] is None


def test_the_env_parameter_beats_the_process(
    prefect_api: str, settings: Settings, scripted: ScriptedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the flow run's form was given wins over the worker's environment."""
    monkeypatch.setenv("COLOUR", "red")
    pipeline = Pipeline("hello", [sh("use", "use", env={"COLOUR": host("COLOUR")})])
    flow = pipeline_flow(pipeline, tmp_path / "root", RunOptions(settings=settings, engine=scripted))

    flow(env={"COLOUR": "blue"})

    assert b"blue" in scripted.runs[-1].stdin


def test_fail_fast_stops_independent_branches(run: RunIt, scripted: ScriptedEngine) -> None:
    """What runs is stopped, what waits does not start, and the run failed: nobody cancelled it."""
    scripted.script("endless", Behaviour(blocks=True))

    def wait(_container: object) -> None:
        scripted.wait_until_running("endless")

    scripted.script("wait-and-fail", Behaviour(exit_code=1, action=wait))
    endless = sh("endless", "endless")

    ran = run(sh("bad", "wait-and-fail"), endless, sh("later", "later", after=[endless]), fail_fast=True)

    assert ran.exit_status == ExitStatus.STAGE_FAILED
    assert ran.statuses == {
        "bad": StageStatus.FAILED,
        "endless": StageStatus.CANCELLED,
        "later": StageStatus.NOT_STARTED,
    }
    assert scripted.leftovers() == []


def test_at_most_jobs_containers_at_once(run: RunIt, scripted: ScriptedEngine, settings: Settings) -> None:
    """Twelve independent stages never have more than three containers running."""
    ran = run(*(sh(f"s{n}", f"script-{n}", network="none") for n in range(12)), settings=replace(settings, jobs=3))

    assert ran.exit_status == 0
    assert scripted.peak <= 3


def test_targets_run_with_what_they_need_only(run: RunIt, scripted: ScriptedEngine) -> None:
    """The summary knows the chosen stages and no others."""
    base = sh("base", "base")

    ran = run(base, sh("wanted", "wanted", after=[base]), sh("other", "other"), targets=("wanted",))

    assert list(ran.statuses) == ["base", "wanted"]


def test_an_image_that_is_not_there_ends_the_run_before_it_starts(run: RunIt, scripted: ScriptedEngine) -> None:
    """Exit status 3, every stage not started, the message names the image."""
    ran = run(stage("a", image="no/such:image", run="true"))

    assert ran.exit_status == ExitStatus.ENGINE_FAILED
    assert ran.statuses == {"a": StageStatus.NOT_STARTED}
    assert "no/such:image" in (ran.summary.error or "")


def test_an_image_that_is_pulled_is_told(run: RunIt, scripted: ScriptedEngine, prefect_api: str) -> None:
    """What a thread of ours says of the run, a pull, say, reaches whoever watches and the flow run's log."""
    scripted.add_image("registry.test/tool:1", present=False)

    ran = run(stage("a", image="registry.test/tool:1", run="true"))

    log = prefect_records.logs(prefect_api, ran.summary.flow_run_id or "", "Finished in state Completed()")
    assert ran.exit_status == 0
    assert Notice("pulling registry.test/tool:1") in ran.events
    assert "pulling registry.test/tool:1" in log


def test_results_that_cannot_be_kept_do_not_decide_over_stages(
    run: RunIt, scripted: ScriptedEngine, settings: Settings, tmp_path: Path
) -> None:
    """A record whose folder disappears leaves the stages passed and the run in error with exit status 3."""
    results = tmp_path / "gone"

    def lose(_container: object) -> None:
        for path in sorted(results.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        results.rmdir()
        results.write_text("in the way")

    scripted.script("lose", Behaviour(action=lose))

    ran = run(sh("a", "lose"), settings=replace(settings, results=str(results)))

    assert ran.statuses == {"a": StageStatus.PASSED}
    assert ran.exit_status == ExitStatus.ENGINE_FAILED


def test_results_below_the_root_are_refused(run: RunIt, scripted: ScriptedEngine, settings: Settings, tmp_path: Path) -> None:
    """The next run would take them for code."""
    ran = run(sh("a", "true"), settings=replace(settings, results=str(tmp_path / "root" / "results")))

    assert ran.exit_status == ExitStatus.WRONG_INPUT
    assert scripted.runs == []


def test_a_commit_needs_a_registered_pipeline(
    prefect_api: str, settings: Settings, scripted: ScriptedEngine, tmp_path: Path
) -> None:
    """The parameter is refused, not silently ignored."""
    pipeline = Pipeline("hello", [sh("a", "true")])
    flow = pipeline_flow(pipeline, tmp_path / "root", RunOptions(settings=settings, engine=scripted))

    with pytest.raises(RunFailedError, match="commit"):
        flow(commit="0" * 40)

    assert scripted.runs == []


def test_an_engine_that_fails_at_the_start_is_told(run: RunIt, scripted: ScriptedEngine) -> None:
    """An engine that does not say who it is ends the run with exit status 3."""
    scripted.fail("info", EngineError("no engine answers"))

    ran = run(sh("a", "true"))

    assert ran.exit_status == ExitStatus.ENGINE_FAILED
    assert ran.summary.error == "no engine answers"
