"""Runs of pipelines that are not trusted, on a scripted engine and a real Prefect server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from prefect.blocks.system import Secret

from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.orchestration.run.failure import RunFailedError
from dockercise_prefect.orchestration.run.launch import pipeline_flow
from dockercise_prefect.orchestration.run.limits import confinement_of
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.pipeline import Pipeline, Stage, bind, host, stage
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.runtime.stage.confinement import METADATA, Confinement
from dockercise_prefect.settings import Settings, read_settings
from dockercise_prefect.status import RunStatus
from tests.engines.scripted import BUSYBOX, ScriptedEngine
from tests.support.prefect import prefect_records

pytestmark = pytest.mark.docker  # for the Prefect server: the engine is scripted

AT = "x.dockercise.yaml:3:1"


@pytest.fixture
def settings(tmp_path: Path, data_folder: Path) -> Settings:
    """Nothing is trusted, and the server is that of the session."""
    return replace(read_settings(), results=str(tmp_path / "results"), data=data_folder, untrusted=True, untrusted_cpus=1.5)


class Runner:
    """Runs stages as a worker does."""

    def __init__(self, settings: Settings, engine: ScriptedEngine, root: Path) -> None:
        self._settings = settings
        self._engine = engine
        self._root = root

    def run(self, *stages: Stage, aws: bool = False, flags: dict[str, str] | None = None, **parameters: Any) -> RunSummary:
        """One flow run."""
        options = RunOptions(settings=self._settings, engine=self._engine, aws=aws, flags=flags or {})
        summary: RunSummary = pipeline_flow(Pipeline("strange", stages), self._root, options)(**parameters)
        return summary

    def refused(self, *stages: Stage, **how: Any) -> RunFailedError:
        """Run a flow run that starts nothing."""
        with pytest.raises(RunFailedError) as caught:
            self.run(*stages, **how)
        assert self._engine.calls.total() == 0
        return caught.value


@pytest.fixture
def runner(prefect_api: str, settings: Settings, scripted: ScriptedEngine, tmp_path: Path) -> Runner:
    """Runs pipelines that are not trusted."""
    return Runner(settings, scripted, tmp_path / "root")


def sh(name: str, **keys: Any) -> Stage:
    """A stage of the image that the engine has."""
    return stage(name, image=BUSYBOX, run="use", at=AT, **keys)


def test_a_refusal_is_a_run_in_error_that_starts_nothing(runner: Runner, prefect_api: str, tmp_path: Path) -> None:
    """The run does not even contact the engine and opens no record; the flow run can be found by its name and pipeline."""
    failure = runner.refused(sh("ok"), sh("bad", volumes=[bind("/", "/host")], user="0"))

    flow_run = prefect_records.flow_run(prefect_api, failure.summary.flow_run_id or "")
    assert failure.exit_status == ExitStatus.WRONG_INPUT
    assert failure.summary.status is RunStatus.ERROR
    assert f"{AT}: DK070 not trusted: bad mounts `/` from the engine's machine" in (failure.summary.error or "")
    assert f"{AT}: DK073 not trusted: bad runs as root (`user: 0`)" in (failure.summary.error or "")
    assert (flow_run.name, flow_run.type) == (failure.summary.run_id, "FAILED")
    assert "pipeline:strange" in flow_run.tags
    assert not (tmp_path / "results").exists()


def test_credentials_are_refused(runner: Runner) -> None:
    """A run that requests the AWS folder is refused as wrong usage."""
    failure = runner.refused(sh("a"), aws=True)

    assert failure.exit_status == ExitStatus.WRONG_INPUT
    assert "--aws would give your AWS folder" in (failure.summary.error or "")


def test_what_was_not_selected_is_not_judged(runner: Runner, scripted: ScriptedEngine) -> None:
    """A target without special needs runs, even if stages that were not selected would be refused."""
    summary = runner.run(sh("test"), sh("deploy", network="host"), targets=["test"])

    assert summary.status is RunStatus.PASSED
    assert list(summary.stages) == ["test"]


def test_containers_have_limits(runner: Runner, scripted: ScriptedEngine, settings: Settings) -> None:
    """Each container has the limits of the settings or its own lower ones, and a closed network."""
    runner.run(sh("a"), sh("b", memory=16 << 20, cpus=0.5))

    specs = {spec.labels["dockercise.stage"]: spec for spec in scripted.specs if "dockercise.stage" in spec.labels}
    assert (specs["a"].cpus, specs["a"].memory) == (1.5, settings.untrusted_memory)
    assert (specs["b"].cpus, specs["b"].memory) == (0.5, 16 << 20)
    assert {(spec.pids, spec.dropped, spec.network.partition(":")[0]) for spec in specs.values()} == {
        (settings.untrusted_pids, ("NET_RAW",), "container")
    }


def test_variables_are_those_that_were_given(runner: Runner, scripted: ScriptedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flags and the flow run's parameter count; the process's environment and Secret blocks do not, under any name."""
    cast("Any", Secret)(value="block-value").save("trust-block", overwrite=True, _sync=True)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key-of-the-worker")
    asked = ["GIVEN", "PARAMETER", "AWS_SECRET_ACCESS_KEY", "TRUST_BLOCK", "trust-block"]

    runner.run(
        sh("a", env={name.upper().replace("-", "_") + "_": host(name, optional=True) for name in asked}),
        flags={"GIVEN": "by-flag"},
        env={"PARAMETER": "by-parameter"},
    )

    (got,) = [one.stdin.decode() for one in scripted.runs if b"by-flag" in one.stdin]
    assert "by-parameter" in got
    assert "key-of-the-worker" not in got
    assert "block-value" not in got


def test_a_variable_that_was_not_given_stops_the_run(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of the worker's own is an error before anything runs, and the message says what helps."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key-of-the-worker")

    failure = runner.refused(sh("a", env={"AWS_SECRET_ACCESS_KEY": host("AWS_SECRET_ACCESS_KEY")}))

    assert failure.exit_status == ExitStatus.WRONG_INPUT
    assert failure.summary.error == (
        f"{AT}: DK050 a needs the variable `AWS_SECRET_ACCESS_KEY`, which was not passed to it\n"
        "  hint: pass `--env AWS_SECRET_ACCESS_KEY=…`, or write `AWS_SECRET_ACCESS_KEY?` if it may be unset"
    )


def test_who_is_trusted_has_no_limits(runner: Runner, scripted: ScriptedEngine, settings: Settings, tmp_path: Path) -> None:
    """Without the setting, nothing is refused, and only the number of processes is limited, by another setting."""
    trusting = Runner(replace(settings, untrusted=False, pids=777), scripted, tmp_path / "root")

    summary = trusting.run(sh("a", network="host", user="root"))

    (spec,) = [spec for spec in scripted.specs if spec.labels["dockercise.stage"] == "a"]
    assert summary.status is RunStatus.PASSED
    assert (spec.user, spec.cpus, spec.memory, spec.pids) == ("root", None, None, 777)


def test_a_guarded_machine_refuses_trusted_stages_too(
    prefect_api: str, settings: Settings, scripted: ScriptedEngine, tmp_path: Path
) -> None:
    """On a guarded machine, a flow run that mounts the engine's socket starts nothing, although its pipeline is trusted."""
    trusting = replace(settings, untrusted=False, guard_host=True)
    runner = Runner(trusting, scripted, tmp_path / "root")

    error = runner.refused(stage("a", image=BUSYBOX, volumes=[bind("/var/run/docker.sock", "/sock")], run="true"))

    assert "not allowed on this machine: a mounts `/var/run/docker.sock`" in str(error)
    assert confinement_of(trusting) == Confinement(pids=trusting.pids, closed=METADATA)
    assert confinement_of(replace(trusting, guard_host=False)).closed == ()
