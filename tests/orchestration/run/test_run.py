"""A run from its flow run to its summary, on a scripted engine and a real Prefect server."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from prefect.blocks.system import Secret

from dockercise_prefect.errors import EngineError, ExitStatus
from dockercise_prefect.orchestration.run.events import EngineFound, Event, Notice, RunEnded
from dockercise_prefect.orchestration.run.failure import RunFailedError
from dockercise_prefect.orchestration.run.launch import launch, pipeline_flow
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.pipeline import Pipeline, host, stage
from dockercise_prefect.results.opening import open_objects
from dockercise_prefect.results.reading.records import Records
from dockercise_prefect.results.reading.run_list import listed
from dockercise_prefect.settings import Settings
from dockercise_prefect.status import StageStatus
from tests.engines.scripted import Behaviour, ScriptedEngine
from tests.orchestration.running import RunIt, sh
from tests.support.prefect import prefect_records

pytestmark = pytest.mark.docker  # for the Prefect server: the engine is scripted


def test_a_run_whose_results_cannot_be_written_any_more_is_listed_as_ended(
    run: RunIt, settings: Settings, scripted: ScriptedEngine, tmp_path: Path
) -> None:
    """If the folder does not take the summary, the data folder does, and the list of runs reads it there."""
    settings = replace(settings, data=tmp_path / "data")

    def lose(_call: object) -> None:
        (folder,) = (tmp_path / "results/hello").iterdir()
        (folder / "summary.json").mkdir()  # from here on the file cannot be written

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
    """With one signal before the stages and one at the end, the run is Cancelled in Prefect and not Crashed."""

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


def test_the_record_is_what_is_returned(run: RunIt, scripted: ScriptedEngine) -> None:
    """`summary.json` is the summary, `index.json` is the pipeline, and each stage has its log and an entry with its value."""
    scripted.script("two-lines", Behaviour(stdout=b"  one\ntwo \n", stderr=b"noise\n"))

    ran = run(sh("a", "two-lines"), sh("b", "quiet"))

    assert json.loads((ran.folder / "summary.json").read_text()) == json.loads(json.dumps(ran.summary.to_json()))
    assert list(json.loads((ran.folder / "index.json").read_text())["stages"]) == ["a", "b"]
    assert json.loads((ran.folder / "a.json").read_text())["value"] == "one\ntwo"
    assert sorted((ran.folder / "a.log").read_text().split("\n")) == sorted(["  one", "two ", "noise", ""])


def test_missing_variables_stop_the_run_before_any_container(run: RunIt, scripted: ScriptedEngine, prefect_api: str) -> None:
    """All of them are listed, the exit status is 2, the flow run is Failed, and the record has the stages of the run."""
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
    """A flag wins over a file, a file over the process's environment, that over a Secret block; flags are not parameters."""
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
    """A value from the flow run's form wins over the worker's environment."""
    monkeypatch.setenv("COLOUR", "red")
    pipeline = Pipeline("hello", [sh("use", "use", env={"COLOUR": host("COLOUR")})])
    flow = pipeline_flow(pipeline, tmp_path / "root", RunOptions(settings=settings, engine=scripted))

    flow(env={"COLOUR": "blue"})

    assert b"blue" in scripted.runs[-1].stdin


def test_fail_fast_stops_independent_branches(run: RunIt, scripted: ScriptedEngine) -> None:
    """Running stages are stopped and waiting ones do not start; the run has failed, since nobody cancelled it."""
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
    """With twelve independent stages, at most three containers run at the same time."""
    ran = run(*(sh(f"s{n}", f"script-{n}", network="none") for n in range(12)), settings=replace(settings, jobs=3))

    assert ran.exit_status == 0
    assert scripted.peak <= 3


def test_targets_run_with_what_they_need_only(run: RunIt, scripted: ScriptedEngine) -> None:
    """The summary has the chosen stages and no others."""
    base = sh("base", "base")

    ran = run(base, sh("wanted", "wanted", after=[base]), sh("other", "other"), targets=("wanted",))

    assert list(ran.statuses) == ["base", "wanted"]


@pytest.mark.parametrize(("exit_code", "told"), [(0, StageStatus.SKIPPED), (3, StageStatus.PASSED)])
def test_targets_are_cleaned_up_after(run: RunIt, scripted: ScriptedEngine, exit_code: int, told: StageStatus) -> None:
    """Clean-up stages run with a target although nobody named them; nothing is waited for that is not in the run."""
    scripted.script("make", Behaviour(exit_code=exit_code))
    make, other = sh("make", "make"), sh("other", "other")
    drop = sh("drop", "drop", when="always", after=[other, make])
    tell = sh("tell", "tell", when="failure")
    unused = sh("unused", "unused", when="always", env={"OTHER": other.value}, after=[make])

    ran = run(make, other, drop, tell, unused, targets=("make",))

    made = StageStatus.FAILED if exit_code else StageStatus.PASSED
    assert ran.statuses == {"make": made, "drop": StageStatus.PASSED, "tell": told}


def test_an_image_that_is_not_there_ends_the_run_before_it_starts(run: RunIt, scripted: ScriptedEngine) -> None:
    """The exit status is 3, every stage is not started, and the message names the image."""
    ran = run(stage("a", image="no/such:image", run="true"))

    assert ran.exit_status == ExitStatus.ENGINE_FAILED
    assert ran.statuses == {"a": StageStatus.NOT_STARTED}
    assert "no/such:image" in (ran.summary.error or "")


def test_an_image_that_is_pulled_is_told(run: RunIt, scripted: ScriptedEngine, prefect_api: str) -> None:
    """A message of another thread, for example about a pull, reaches the observers and the flow run's log."""
    scripted.add_image("registry.test/tool:1", present=False)

    ran = run(stage("a", image="registry.test/tool:1", run="true"))

    log = prefect_records.logs(prefect_api, ran.summary.flow_run_id or "", "Finished in state Completed()")
    assert ran.exit_status == 0
    assert Notice("pulling registry.test/tool:1") in ran.events
    assert "pulling registry.test/tool:1" in log


def test_results_that_cannot_be_kept_do_not_decide_over_stages(
    run: RunIt, scripted: ScriptedEngine, settings: Settings, tmp_path: Path
) -> None:
    """If the folder of the record disappears, the stages pass, and the run is in error with exit status 3."""
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
    """The next run would treat them as code."""
    ran = run(sh("a", "true"), settings=replace(settings, results=str(tmp_path / "root" / "results")))

    assert ran.exit_status == ExitStatus.WRONG_INPUT
    assert scripted.runs == []


def test_a_commit_needs_a_registered_pipeline(
    prefect_api: str, settings: Settings, scripted: ScriptedEngine, tmp_path: Path
) -> None:
    """The parameter is refused and not silently ignored."""
    pipeline = Pipeline("hello", [sh("a", "true")])
    flow = pipeline_flow(pipeline, tmp_path / "root", RunOptions(settings=settings, engine=scripted))

    with pytest.raises(RunFailedError, match="commit"):
        flow(commit="0" * 40)

    assert scripted.runs == []


def test_an_engine_that_fails_at_the_start_is_told(run: RunIt, scripted: ScriptedEngine) -> None:
    """If the engine does not identify itself, the run ends with exit status 3."""
    scripted.fail("info", EngineError("no engine answers"))

    ran = run(sh("a", "true"))

    assert ran.exit_status == ExitStatus.ENGINE_FAILED
    assert ran.summary.error == "no engine answers"
