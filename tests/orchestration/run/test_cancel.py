"""A run that is cancelled in Prefect, on a scripted engine and the session's Prefect server."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest
from prefect.client.orchestration import SyncPrefectClient

from dockercise_prefect.errors import NothingToDoError, UsageError
from dockercise_prefect.orchestration.prefect.cancel_watch import POLL_SECONDS
from dockercise_prefect.orchestration.prefect.cancelling import Cancellation
from dockercise_prefect.pipeline import Stage, stage
from dockercise_prefect.results.record.local_store import LocalStore
from dockercise_prefect.status import RunStatus, StageStatus
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedContainer, ScriptedEngine
from tests.orchestration.running import RunIt, sh


def stages() -> tuple[Stage, Stage, Stage]:
    """A stage that runs until it is stopped, one after it, and a clean-up stage."""
    long = sh("long", "blocks")
    return long, sh("next", "x", after=[long]), stage("clean", image=BUSYBOX, run="clean $LONG", when="always", after=[long])


Meanwhile = Callable[[Callable[[str, Cancellation, ScriptedContainer], object]], None]


@pytest.fixture
def meanwhile(scripted: ScriptedEngine, client: SyncPrefectClient) -> Meanwhile:
    """Does something with the id of the flow run as soon as the long stage runs, in another thread."""

    def begin(act: Callable[[str, Cancellation, ScriptedContainer], object]) -> None:
        threading.Thread(target=work, args=(act,), daemon=True).start()

    def work(act: Callable[[str, Cancellation, ScriptedContainer], object]) -> None:
        container = scripted.container(scripted.wait_until_running("blocks"))
        act(container.spec.labels["dockercise.flow_run"], Cancellation(client), container)

    return begin


def wait_for(signal_name: str, container: ScriptedContainer) -> None:
    """Wait until the container has got this signal."""
    while signal_name not in container.signals:
        threading.Event().wait(0.05)


def test_a_cancel_in_prefect_ends_the_run(
    run: RunIt, scripted: ScriptedEngine, client: SyncPrefectClient, meanwhile: Meanwhile
) -> None:
    """Running stages are stopped, waiting ones do not start, clean-up stages run, and the flow run ends as Cancelled."""
    scripted.script("blocks", Behaviour(blocks=True))
    meanwhile(lambda flow_run, cancels, _: cancels.ask(flow_run))

    ran = run(*stages())

    assert ran.statuses == {"long": "cancelled", "next": "not_started", "clean": "passed"}
    assert ran.summary.status is RunStatus.CANCELLED
    assert str(ran.summary.stages["long"].message).startswith("cancelled: the run was cancelled by Prefect")
    state = client.read_flow_run(ran.summary.flow_run_id or "").state  # type: ignore[arg-type]  # takes texts, too
    assert state is not None
    assert (state.type.value, state.name) == ("CANCELLED", "Cancelled")


def test_a_second_cancel_ends_it_immediately(run: RunIt, scripted: ScriptedEngine, meanwhile: Meanwhile) -> None:
    """The second request kills what runs, here a clean-up stage, and nothing more starts."""
    scripted.script("blocks", Behaviour(blocks=True))
    scripted.script("clean", Behaviour(blocks=True, ignores_sigterm=True))

    def twice(flow_run: str, cancels: Cancellation, _: ScriptedContainer) -> None:
        cancels.ask(flow_run)
        scripted.wait_until_running("clean")
        cancels.ask(flow_run)

    meanwhile(twice)

    ran = run(*stages())

    assert ran.statuses == {"long": "cancelled", "next": "not_started", "clean": "cancelled"}


@pytest.mark.parametrize("signal_first", [False, True])
def test_the_signal_of_a_worker_is_no_second_request(
    run: RunIt, scripted: ScriptedEngine, meanwhile: Meanwhile, *, signal_first: bool
) -> None:
    """A worker sends SIGTERM to the process of a flow run that is cancelled, before or after the process sees it."""
    scripted.script("blocks", Behaviour(blocks=True))
    scripted.script("clean", Behaviour(blocks=True))

    def as_a_worker(flow_run: str, cancels: Cancellation, container: ScriptedContainer) -> None:
        if signal_first:
            os.kill(os.getpid(), signal.SIGTERM)
        cancels.ask(flow_run)
        wait_for("SIGTERM", container)
        cleaning = scripted.container(scripted.wait_until_running("clean"))
        if not signal_first:
            os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(3 * POLL_SECONDS)
        assert cleaning.running
        cleaning.finish()

    meanwhile(as_a_worker)

    ran = run(*stages())

    assert ran.statuses == {"long": "cancelled", "next": "not_started", "clean": "passed"}


def test_the_signal_of_a_worker_does_not_interrupt_the_end_of_a_run(
    run: RunIt, scripted: ScriptedEngine, meanwhile: Meanwhile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker's SIGTERM that comes while the results of a cancelled run are sent does not break that off."""
    scripted.script("blocks", Behaviour(blocks=True))
    settle = LocalStore.settle

    def settle_and_be_asked(store: LocalStore) -> None:
        signal.raise_signal(signal.SIGTERM)
        settle(store)

    monkeypatch.setattr(LocalStore, "settle", settle_and_be_asked)
    meanwhile(lambda flow_run, cancels, _: cancels.ask(flow_run))

    ran = run(*stages())

    assert (ran.summary.status, ran.summary.error) == (RunStatus.CANCELLED, None)
    assert (ran.folder / "summary.json").exists()


def test_only_a_run_that_goes_on_can_be_cancelled(run: RunIt, client: SyncPrefectClient) -> None:
    """Whoever cancels a run that has ended, or a run that does not exist, gets an error."""
    ran = run(sh("a", "x"))
    cancels = Cancellation(client)

    assert ran.statuses == {"a": StageStatus.PASSED}
    with pytest.raises(NothingToDoError, match="has already ended: Completed"):
        cancels.ask(ran.summary.run_id)
    with pytest.raises(UsageError, match="there is no run `20200101T000000Z-ffff` in Prefect"):
        cancels.ask("20200101T000000Z-ffff")
