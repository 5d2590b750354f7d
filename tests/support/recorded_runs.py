"""Makes records of runs without running anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from dockercise_prefect.archives.tarball import Entry, tar_stream
from dockercise_prefect.pipeline import Pipeline, stage, to_json
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.results.record.run_facts import RunFacts
from dockercise_prefect.results.record.store import Kept
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.status import RunStatus, StageStatus

FIRST = datetime(2026, 11, 22, 19, 3, 12, tzinfo=UTC)
"""The start of the first run of a test."""

_greet = stage("greet", image="bb:1", run="echo hello")
_hush = stage("hush", image="bb:1", run="cat key", no_log=True)
_check = stage("check", image="bb:1", run="grep x greet", volumes=[_greet.volume])
_deliver = stage("deliver", image="bb:1", after=[_check])
SHOP = Pipeline("shop", [_greet, _hush, _check, _deliver])
"""Four stages: `check` mounts the volume of `greet`, `deliver` comes after `check`, and `hush` has noLog."""


def run_id(number: int = 0) -> str:
    """The id of the test's run with this number. Each run starts one minute after the previous one."""
    return f"{FIRST + timedelta(minutes=number):%Y%m%dT%H%M%SZ}-{number:04x}"


def ran(status: StageStatus, after: float, seconds: float, exit_code: int = 0, message: str | None = None) -> StageSummary:
    """The summary of a stage that started `after` seconds after the run."""
    began = FIRST + timedelta(seconds=after)
    ended = began + timedelta(seconds=seconds)
    return StageSummary(status, exit_code, began.isoformat(), ended.isoformat(), "sha256:aa", "task-1", message)


class Recorded:
    """A record that is written during a simulated run.

    Args:
        results: the folder of all results.
        pipeline: the pipeline of the run.
        number: the number of the run, see `run_id`.
        facts: how the run goes; None as in records of earlier versions.
    """

    def __init__(self, results: Path, pipeline: Pipeline = SHOP, number: int = 0, facts: RunFacts | None = None) -> None:
        self.run_id = run_id(number)
        self.store = LocalStore(results, pipeline.name, self.run_id)
        self.store.start({**to_json(pipeline), **({} if facts is None else {"run": facts.to_json()})})
        self._pipeline = pipeline.name
        self._stages: dict[str, StageSummary] = {}

    @property
    def folder(self) -> Path:
        """The folder of the record."""
        return self.store.folder

    def stage(self, name: str, summary: StageSummary, log: bytes | None = None, volume: list[Entry] | None = None) -> None:
        """Add a stage with this summary, log and volume."""
        if log is not None:
            writer = self.store.log(name)
            writer.write(log)
            writer.close()
        if volume is not None:
            self.store.keep_volume(name, tar_stream(volume))
        self.store.stage_ended(name, summary, Kept())
        self._stages[name] = summary

    def end(self, status: RunStatus = RunStatus.PASSED, seconds: float = 2, error: str | None = None) -> None:
        """End the run, and wait until its record is complete."""
        self.store.settle()
        self.store.finish(self._summary(status, seconds, error))

    def leave(self) -> None:
        """End the run without waiting for its record."""
        self.store.leave(self._summary(RunStatus.ERROR, 2, "interrupted"))

    def _summary(self, status: RunStatus, seconds: float, error: str | None) -> RunSummary:
        ended = FIRST + timedelta(seconds=seconds)
        return RunSummary(
            self.run_id,
            self._pipeline,
            status,
            error,
            FIRST.isoformat(),
            ended.isoformat(),
            "f10",
            "http://127.0.0.1:4200/runs/flow-run/f10",
            self.store.url,
            stages=self._stages,
        )


def failed_run(results: Path, number: int = 0) -> Recorded:
    """Make a run of `SHOP` whose stage `check` failed."""
    run = Recorded(results, number=number)
    run.stage("greet", ran(StageStatus.PASSED, 0.1, 0.4), b"hello\n")
    run.stage("hush", ran(StageStatus.PASSED, 0.2, 0.2))
    run.stage("check", ran(StageStatus.FAILED, 0.5, 1.2, 1, "exit code 1\ngrep: no match"), b"looking\ngrep: no match\n")
    run.stage("deliver", StageSummary(StageStatus.NOT_STARTED, message="not started: check failed"))
    run.end(RunStatus.FAILED)
    return run
