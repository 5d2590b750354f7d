"""One attempt, from a job and ports to a result, on the scripted engine and without a run around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256

import pytest

from dockercise_prefect.archives.content_digest import digest_text
from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import Network, Pipeline, PullPolicy, Stage, StageName, stage
from dockercise_prefect.runtime.attempts import shown_nowhere
from dockercise_prefect.runtime.cleanup.removal import remove_all
from dockercise_prefect.runtime.engine import ContainerSpec
from dockercise_prefect.runtime.secrets.masking import Masker
from dockercise_prefect.runtime.stage.attempt import run_attempt
from dockercise_prefect.runtime.stage.environment import VariableTexts
from dockercise_prefect.runtime.stage.job import Job, JobResult, Stdout, variable_sources
from dockercise_prefect.runtime.stage.ports import OutputWriter, Ports
from dockercise_prefect.runtime.stage.running import Running
from dockercise_prefect.status import StageStatus
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine
from tests.runtime.workspaces import IDENTITY, MemoryOutputs, cancelled, sh

STAGES = [sh(name, "x") for name in "abc"] + [stage("join")]


def ports(
    engine: ScriptedEngine,
    outside: Mapping[StageName, Mapping[str, str]] | None = None,
    outputs: MemoryOutputs | None = None,
) -> Ports:
    """Everything that an attempt at one of `STAGES` uses."""

    def now(thing: Callable[[], object]) -> None:
        thing()

    return Ports(
        engine=engine,
        texts=VariableTexts(Pipeline("p", STAGES), outside or {}),
        masker=Masker(),
        outputs=outputs or MemoryOutputs(),
        sink=lambda _channel, _chunk: None,
        beside=shown_nowhere,
        running=Running(lambda _text: None),
        later=now,
    )


def job_of(engine: ScriptedEngine, given: Stage, attempt: int = 1) -> Job:
    """The job of a stage that needs no other stage."""
    image = None
    if given.image is not None:
        image = engine.resolve_image(BUSYBOX, pull=PullPolicy.NEVER, platform=None, progress=lambda _: None)
    return Job(
        run=IDENTITY,
        owner="owner",
        stage=replace(given, env={}),
        attempt=attempt,
        variables=variable_sources(given),
        image=image,
        helper=None if image is None else image.id,
        network=Network.NONE.value,
    )


def test_an_attempt_says_where_everything_is(scripted: ScriptedEngine) -> None:
    """The result names the volume, the container through which it is read, and the digest of the output."""
    scripted.script("work", Behaviour(stdout=b"printed\n", writes={"/a/f": b"x"}))

    result = run_attempt(job_of(scripted, sh("a", "work"), attempt=3), ports(scripted))

    assert (result.stage, result.attempt, result.status, result.exit_code) == ("a", 3, StageStatus.PASSED, 0)
    assert result.stdout is not None
    assert (result.stdout.size, result.stdout.digest) == (8, digest_text(sha256(b"printed\n").digest()))
    assert result.volume is not None
    assert result.volume.written
    left = {each.id: each.labels for each in scripted.leftovers()}
    assert left.keys() == {result.volume.name, result.container}
    assert {(labels["dockercise.stage"], labels["dockercise.attempt"]) for labels in left.values()} == {("a", "3")}


def test_what_an_attempt_left_can_be_removed_by_its_labels(scripted: ScriptedEngine) -> None:
    """Everything that an attempt left can be found by its labels, which differ between two attempts at one stage."""
    first = run_attempt(job_of(scripted, sh("a", "x"), attempt=1), ports(scripted))
    second = run_attempt(job_of(scripted, sh("a", "x"), attempt=2), ports(scripted))

    remove_all(scripted, [each for each in scripted.leftovers() if each.labels["dockercise.attempt"] == "1"])

    assert first.container != second.container
    assert second.volume is not None
    assert {each.id for each in scripted.leftovers()} == {second.volume.name, second.container}


def test_a_stage_that_only_joins_prints_its_variable(scripted: ScriptedEngine) -> None:
    """A stage that only joins makes nothing on the engine, and its output is its outside variable."""
    outputs = MemoryOutputs()

    result = run_attempt(job_of(scripted, stage("join")), ports(scripted, outside={"join": {"JOIN": "value"}}, outputs=outputs))

    assert (result.status, result.exit_code, result.container, result.volume) == (StageStatus.PASSED, None, None, None)
    assert result.stdout is not None
    with outputs.open(result.stdout) as printed:
        assert printed.value() == b"value"
    assert scripted.leftovers() == []


def test_a_cancelled_run_attempts_nothing(scripted: ScriptedEngine) -> None:
    """If the run is over, the attempt ends before anything is made."""
    running = Running(lambda _text: None)
    running.cancel(cancelled("because"))

    result = run_attempt(job_of(scripted, sh("a", "x")), replace(ports(scripted), running=running))

    assert (result.status, result.message, result.container) == (StageStatus.CANCELLED, "cancelled: because", None)
    assert scripted.leftovers() == []


def test_a_container_that_cannot_be_made(scripted: ScriptedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the engine refuses, the stage is in error, and everything made until then carries the labels of the attempt."""

    def refuse(spec: ContainerSpec) -> str:
        raise EngineError(f"no {spec.name}")

    job = job_of(scripted, sh("a", "x"))
    monkeypatch.setattr(scripted, "create", refuse)
    result = run_attempt(job, ports(scripted))

    assert (result.status, result.container) == (StageStatus.ERROR, None)
    assert [each.labels["dockercise.stage"] for each in scripted.leftovers()] == ["a"]


def test_an_image_for_others(scripted: ScriptedEngine) -> None:
    """An image for other stages is made only if the job requests it, and only if the stage passed."""
    scripted.script("fail", Behaviour(exit_code=1))
    kept = replace(job_of(scripted, sh("a", "x")), keeps_image=True)

    made = run_attempt(kept, ports(scripted)).made_image
    failed = run_attempt(replace(job_of(scripted, sh("b", "fail")), keeps_image=True), ports(scripted)).made_image
    not_asked = run_attempt(job_of(scripted, sh("c", "x")), ports(scripted)).made_image

    assert made is not None
    assert made.ref == "that a left"
    assert (failed, not_asked) == (None, None)


class FullOutputs(MemoryOutputs):
    """Outputs that cannot be kept at the end."""

    def writer(self, _stage: StageName) -> OutputWriter:
        """See `Outputs`."""
        return _Full()


class _Full:
    def write(self, chunk: bytes) -> None:
        pass

    def close(self) -> Stdout:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize(("script", "status"), [("x", StageStatus.ERROR), ("fail", StageStatus.FAILED)])
def test_an_output_that_is_lost_in_the_end(scripted: ScriptedEngine, script: str, status: StageStatus) -> None:
    """A stage that passed is in error if its output is lost; one that failed stays failed."""
    scripted.script("fail", Behaviour(exit_code=1))

    result = run_attempt(job_of(scripted, sh("a", script)), ports(scripted, outputs=FullOutputs()))

    assert (result.status, result.stdout) == (status, None)


def test_a_result_is_small_whatever_was_printed(scripted: ScriptedEngine) -> None:
    """If both channels print 10 MB, the result has only the last lines, in a few kilobytes at most."""
    scripted.script("much", Behaviour(stdout=b"x" * 10_000_000, stderr=b"y\n" * 5_000_000, exit_code=1))

    result = run_attempt(job_of(scripted, sh("a", "much")), ports(scripted))

    assert len(result.to_json()) < 5_000
    assert JobResult.from_json(result.to_json()) == result
