"""After a cancel or a kill, everything that runs ends and nothing more starts."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dockercise_prefect.pipeline import stage
from dockercise_prefect.runtime.engine import FileStream
from dockercise_prefect.runtime.overlay import OverlayFacts
from dockercise_prefect.status import StageStatus
from tests.engines.driving import PATIENCE
from tests.engines.scripted import Behaviour, ScriptedEngine
from tests.runtime.workspaces import Ran, cancelled, sh, workspace


def test_cancel_stops_what_runs_and_starts_nothing_more(scripted: ScriptedEngine) -> None:
    """Running stages are stopped with a grace and cancelled, later ones do not start, and a second cancel changes nothing."""
    scripted.script("long", Behaviour(blocks=True))
    a, b, join = sh("a", "long"), sh("b", "never"), stage("j")
    with workspace(scripted, a, b, join) as ran, ThreadPoolExecutor() as pool:
        future = pool.submit(ran.run, a)
        id_ = scripted.wait_until_running("long")
        container = scripted.container(id_)

        ran.workspace.cancel(cancelled("SIGINT"))
        ran.workspace.cancel(cancelled("again"))
        results = [future.result(), ran.run(b), ran.run(join)]

    assert {result.status for result in results} == {StageStatus.CANCELLED}
    assert {str(result.message).splitlines()[0] for result in results} == {"cancelled: SIGINT"}
    assert container.signals == ["SIGTERM"]
    assert [run.spec.labels["dockercise.stage"] for run in scripted.runs] == ["a"]


class CancelsAtGet(ScriptedEngine):
    """Cancels the run as soon as files are copied for a stage."""

    ran: Ran

    def get(self, container: str, path: str) -> FileStream:
        if path.startswith("/from/"):
            self.ran.workspace.cancel(cancelled("SIGINT"))
        return super().get(container, path)


def test_cancel_breaks_off_a_copy() -> None:
    """A stage whose files are still being copied is also cancelled, and leaves nothing."""
    engine = CancelsAtGet()
    engine.overlays = OverlayFacts(refusal="for this test")
    a = sh("a", "x", network="none")
    b = sh("b", "never", on=a)
    with workspace(engine, a, b) as ran:
        engine.ran = ran
        ran.run(a)

        result = ran.run(b)

    assert (result.status, result.message) == (StageStatus.CANCELLED, "cancelled: SIGINT")
    assert len(engine.runs) == 1
    assert engine.calls["put"] == 2
    assert engine.leftovers() == []


def test_kill_ends_at_once(scripted: ScriptedEngine) -> None:
    """After `cancel`, `kill` does not wait for the end of the grace."""
    scripted.script("long", Behaviour(blocks=True))
    a = sh("a", "long")
    with workspace(scripted, a) as ran, ThreadPoolExecutor() as pool:
        future = pool.submit(ran.run, a)
        container = scripted.container(scripted.wait_until_running("long"))

        ran.workspace.kill()
        result = future.result()

    assert (result.status, container.signals) == (StageStatus.CANCELLED, ["SIGKILL"])


def test_leaving_the_workspace_ends_what_runs(scripted: ScriptedEngine) -> None:
    """However the run ends early, its containers end and are removed."""
    scripted.script("long", Behaviour(blocks=True))
    a = sh("a", "long")
    with ThreadPoolExecutor() as pool:
        with workspace(scripted, a) as ran:
            future = pool.submit(ran.run, a)
            scripted.wait_until_running("long")

        assert future.result().status is StageStatus.CANCELLED
    assert scripted.leftovers() == []


class EndsLast(ScriptedEngine):
    """Stops containers only after it was told to."""

    def __init__(self) -> None:
        super().__init__()
        self.may_stop = threading.Event()

    def stop(self, container: str, grace: float) -> None:
        self.may_stop.wait(PATIENCE)
        super().stop(container, grace)


def test_cancel_ends_the_wait_for_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that waits for a network ends at once when the run is cancelled, although the network is still in use."""
    engine = EndsLast()
    engine.script("long", Behaviour(blocks=True))
    stages = [sh("a", "long"), sh("b", "never")]
    with workspace(engine, *stages) as ran, ThreadPoolExecutor() as pool:
        for thread in ran.workspace._slots._threads:
            thread.join(PATIENCE)
        ran.workspace._slots._patience = PATIENCE
        first = pool.submit(ran.run, stages[0])
        engine.wait_until_running("long")
        running, waits = ran.workspace._running.of(stages[1]), threading.Event()
        ask = running.refuse_when_cancelled

        def check() -> None:
            waits.set()
            ask()

        monkeypatch.setattr(running, "refuse_when_cancelled", check)
        second = pool.submit(ran.run, stages[1])
        assert waits.wait(PATIENCE)

        ran.workspace.cancel(cancelled("SIGINT"))

        assert second.result(PATIENCE).message == "cancelled: SIGINT"
        engine.may_stop.set()
        assert first.result(PATIENCE).status is StageStatus.CANCELLED
    assert [run.spec.labels["dockercise.stage"] for run in engine.runs] == ["a"]
    assert engine.leftovers() == []
