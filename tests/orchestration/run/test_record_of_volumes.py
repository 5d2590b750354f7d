"""What a run's record shows about files that could not be kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dockercise_prefect.archives.tarball import File, tar_stream
from dockercise_prefect.errors import EngineError
from dockercise_prefect.orchestration.run.record import RunRecord
from dockercise_prefect.orchestration.run.secrecy import Secrecy
from dockercise_prefect.pipeline import Pipeline, stage, to_json
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.results.record.store import Kept
from dockercise_prefect.results.summary import StageSummary
from dockercise_prefect.runtime.engine import EngineLostError
from dockercise_prefect.runtime.stage.job import OwnVolume
from dockercise_prefect.status import StageStatus
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


def test_a_volume_of_a_dead_process_is_searched_for_values_too(tmp_path: Path) -> None:
    """Whoever goes on with a record learns the values of sensitive stages only afterwards. They are in no volume either."""
    login = stage("login", image=BUSYBOX, run="x", no_log=True)
    use = stage("use", image=BUSYBOX, run="x", env={"LOGIN": login.value})
    pipeline = Pipeline("p", [login, use])
    secrecy = Secrecy(pipeline)
    store = LocalStore(tmp_path, "p", "run-1")
    store.start(to_json(pipeline, []))
    record = RunRecord(store, lambda _: None, secrecy)

    record.resume({"use": StageSummary(StageStatus.PASSED)}, {"use": Kept()})
    secrecy.masker.add(b"hush-hush-hush")
    file = File(path="use/file", size=14, content=lambda: [b"hush-hush-hush"])
    archive = b"".join(tar_stream([file]))
    kept = record.keep_volume(use, OwnVolume("volume", written=True), iter([archive]))

    assert kept.file is None
    assert not (tmp_path / "p/run-1/use.tar.zst").exists()
