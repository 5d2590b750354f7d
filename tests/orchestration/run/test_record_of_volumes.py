"""What a run's record shows about files that could not be kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.orchestration.run.record import RunRecord
from dockercise_prefect.orchestration.run.secrecy import Secrecy
from dockercise_prefect.pipeline import Pipeline, stage, to_json
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.runtime.engine import EngineLostError
from dockercise_prefect.runtime.stage.job import OwnVolume
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine
from tests.orchestration.run.stage_world import stage_world
from tests.orchestration.scheduling.scheduled_run import run_all


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (EngineError("it refused"), "the volume of b1 is not in the results: it refused"),
        (EngineLostError("no answer"), "the engine stopped answering (no answer), so the volume of b1 is not in the results"),
    ],
)
def test_a_volume_that_is_not_kept_says_why(tmp_path: Path, error: EngineError, said: str) -> None:
    """The first failure is the run's error; if the engine went away, the error also names the consequence."""
    one, two = stage("b1", image=BUSYBOX, run="x"), stage("b2", image=BUSYBOX, run="x")
    pipeline = Pipeline("p", [one, two])
    store = LocalStore(tmp_path, "p", "run-1")
    store.start(to_json(pipeline, []))
    record = RunRecord(store, lambda _: None, Secrecy(pipeline))

    def broken() -> Iterator[bytes]:
        raise error
        yield

    volume = OwnVolume("volume", written=True)
    kept = [record.keep_volume(each, volume, broken()) for each in (one, two)]

    assert (kept, record.storage_error) == ([volume, volume], said)


def test_a_run_ends_if_clean_up_works_on_what_never_started(tmp_path: Path) -> None:
    """A clean-up stage `on` a stage that never started keeps its own volume, and waits for no other."""
    engine = ScriptedEngine()
    engine.script("breaks", Behaviour(exit_code=1))
    engine.script("tidies", Behaviour(writes={"/tidies/file": b"content"}))
    breaks = stage("breaks", image=BUSYBOX, run="breaks")
    never = stage("never", image=BUSYBOX, run="never", after=[breaks])
    tidies = stage("tidies", image=BUSYBOX, run="tidies", on=never, when="always")

    with stage_world(engine, Pipeline("p", [breaks, never, tidies]), tmp_path) as world:
        ends = run_all(world)

    assert ends == {"breaks": "failed", "never": "not_started", "tidies": "passed"}
    assert "tidies.tar.zst" in world.files()
