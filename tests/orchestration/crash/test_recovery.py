"""Runs whose processes died are found in Prefect and ended there, and in their records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from prefect import task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Cancelling, Completed, Paused, Pending, Running

from dockercise_prefect.orchestration.crash.prefect_runs import PrefectRuns
from dockercise_prefect.orchestration.crash.records import DeadRecords
from dockercise_prefect.orchestration.crash.recovery import CHANCE_SECONDS, Recovery
from dockercise_prefect.orchestration.crash.unfinished import UnfinishedRun
from dockercise_prefect.orchestration.prefect.sign_of_life import Sign
from dockercise_prefect.results.record.owner_mark import OwnerMark, mark_owner
from dockercise_prefect.results.record.unsent import UNSENT, Destination, UnsentRun
from dockercise_prefect.runtime.cleanup.ownership import this_process
from dockercise_prefect.settings import Settings
from dockercise_prefect.status import StageStatus
from tests.orchestration.crash.flow_runs_of_tests import ME, beat, dead_owner, foreign, running
from tests.support.fault_proxy import fault_proxy
from tests.support.prefect import prefect_records
from tests.support.prefect.prefect_records import eventually
from tests.support.recorded_runs import Recorded, ran

pytestmark = [pytest.mark.docker, pytest.mark.alone]  # for the server, and since each run ends dead runs

SILENCE = 2.0
"""Seconds; Prefect's clock shows whole seconds."""


def no_page(*_arguments: object) -> str:
    """A page without content."""
    return ""


@pytest.fixture
def recovery(client: SyncPrefectClient, settings: Settings, tmp_path: Path) -> Recovery:
    """A process that looks for dead runs, with a data folder of its own."""
    own = replace(settings, data=tmp_path / "data")
    return Recovery(PrefectRuns(client), DeadRecords(own, no_page), this_process(None), SILENCE)


def recorded_in(results: Path) -> Recorded:
    """The record of a run that died while it ran."""
    recorded = Recorded(results)
    recorded.stage("greet", ran(StageStatus.PASSED, 0, 1), log=b"hello\n")
    return recorded


def running_task(client: SyncPrefectClient, flow_run: str) -> UUID:
    """A task run of the flow run that is Running."""
    made = client.create_task_run(_task, flow_run_id=UUID(flow_run), dynamic_key=uuid4().hex, state=Pending())
    client.set_task_run_state(made.id, Running())
    return made.id


@task
def _task() -> None:
    """A task that nobody runs."""


def found(recovery: Recovery, flow_run: str) -> UnfinishedRun:
    """The flow run, which is dead for sure."""
    (run,) = [run for run in recovery.surely_dead() if run.id == flow_run]
    return run


def silent(client: SyncPrefectClient, flow_run: str) -> None:
    """Wait until the flow run has given no sign of life for too long."""

    def silence() -> float:
        (run,), now = (listing := PrefectRuns(client).unfinished(ids=[flow_run])).runs, listing.now
        return (now - run.seen).total_seconds()

    eventually(silence, lambda seconds: seconds >= SILENCE)


def test_a_run_that_died_while_it_waited_for_an_approval_is_found(client: SyncPrefectClient, recovery: Recovery) -> None:
    """A dead process is found although its flow run is Paused, and its flow run becomes Crashed."""
    dead = running(client, Sign(dead_owner(), 1))
    client.set_flow_run_state(UUID(dead), Paused(pause_key="approval"))

    recovery.end(found(recovery, dead))

    assert client.read_flow_run(UUID(dead)).state_name == "Crashed"


def test_only_the_dead_of_this_machine_are_found_at_once(client: SyncPrefectClient, recovery: Recovery) -> None:
    """A dead process of this machine is found; one that lives, and one of another machine, are not."""
    dead = running(client, Sign(dead_owner(), 1))
    others = {running(client, Sign(str(ME), 1)), running(client, Sign(foreign(dead_owner()), 1)), running(client, None)}

    ids = {run.id for run in recovery.surely_dead()}

    assert dead in ids
    assert not others & ids


def test_a_dead_run_is_crashed_and_says_why(client: SyncPrefectClient, recovery: Recovery, prefect_api: str) -> None:
    """The flow run gets Crashed, with the host, the last sign of life, and how to run it again."""
    flow_run = running(client, Sign(dead_owner(), 1))

    recovery.end(found(recovery, flow_run))

    record = prefect_records.flow_run(prefect_api, flow_run)
    assert (record.type, record.state) == ("CRASHED", "Crashed")
    assert record.message is not None
    assert f"ended without a word on {ME.host}; the last sign of life was at 20" in record.message
    assert "`dockercise run` runs it again" in record.message


def test_a_run_of_a_deployment_is_run_again_by_prefect(client: SyncPrefectClient, recovery: Recovery, prefect_api: str) -> None:
    """For a run of a deployment, the message says how Prefect retries it."""
    flow_run = running(client, Sign(dead_owner(), 1))

    recovery.end(replace(found(recovery, flow_run), is_deployed=True))

    record = prefect_records.flow_run(prefect_api, flow_run)
    assert record.message is not None
    assert f"`prefect flow-run retry {flow_run}`" in record.message


def test_its_record_gets_an_end(client: SyncPrefectClient, recovery: Recovery, tmp_path: Path) -> None:
    """The record that the sign of life names gets a summary, and the list of runs has it."""
    recorded = recorded_in(tmp_path / "somewhere else")
    flow_run = running(client, Sign(dead_owner(), 1, recorded.store.url))

    ended = recovery.end(found(recovery, flow_run))

    assert ended is not None
    summary = ended.summary()
    assert summary is not None
    assert (summary.status, summary.flow_run_id) == ("error", flow_run)
    assert "ended without a word" in (recorded.folder.parent / "index.html").read_text()


def test_a_record_that_was_not_told_yet_is_found_by_its_name(
    client: SyncPrefectClient, recovery: Recovery, settings: Settings
) -> None:
    """If the process died before it could name its record, the record is found by the name of the flow run."""
    recorded = recorded_in(Path(settings.results))
    flow_run = running(client, Sign(dead_owner(), 1), {"pipeline": "shop"}, recorded.run_id)

    ended = recovery.end(found(recovery, flow_run))

    assert ended is not None
    assert (recorded.folder / "summary.json").exists()


def test_an_unsent_record_gets_its_end_where_it_is(client: SyncPrefectClient, recovery: Recovery, tmp_path: Path) -> None:
    """The record of a run to a bucket is still on this machine, and its summary is written there."""
    unsent = UnsentRun(tmp_path / "data" / UNSENT / Recorded(tmp_path / "scratch").run_id)
    unsent.begin(Destination("s3://bucket", "shop"))
    recorded = recorded_in(unsent.folder)
    flow_run = running(client, Sign(dead_owner(), 1, f"s3://bucket/shop/{recorded.run_id}"))
    run = found(recovery, flow_run)

    while_it_is_written = recovery.end(run)
    unsent.leave()
    afterwards = recovery.end(run)

    assert while_it_is_written is None
    assert afterwards is not None
    assert (recorded.folder / "summary.json").exists()


def test_an_unsent_record_is_left_to_its_guardian(settings: Settings, tmp_path: Path) -> None:
    """While a guardian lives, it is going to finish the run, although nobody holds the lock of the record yet."""
    unsent = UnsentRun(Path(settings.data) / UNSENT / Recorded(tmp_path / "scratch").run_id)
    unsent.begin(Destination("s3://bucket", "shop"))
    mark = OwnerMark(dead_owner(), "flow-1", None)
    recorded = recorded_in(unsent.folder)
    unsent.leave()
    records = DeadRecords(settings, no_page)

    mark_owner(recorded.folder, replace(mark, guardian=str(ME)))
    guarded = [run.run_id for run, _ in records.without_process(ME)]
    mark_owner(recorded.folder, replace(mark, guardian=dead_owner()))

    assert unsent.run_id not in guarded
    assert unsent.run_id in [run.run_id for run, _ in records.without_process(ME)]


@pytest.mark.parametrize(
    "record", ["file:///", "file:///etc/shop/passwd", "s3://", "nonsense", "file:///nowhere/shop/20261129T120000Z-7f3a"]
)
def test_a_record_that_is_not_here_is_not_made(client: SyncPrefectClient, recovery: Recovery, record: str) -> None:
    """A flow run that names no record of this machine is set to Crashed, and nothing is written."""
    flow_run = running(client, Sign(dead_owner(), 1, record))

    assert recovery.end(found(recovery, flow_run)) is None
    assert client.read_flow_run(UUID(flow_run)).state_name == "Crashed"


def test_a_run_that_ended_in_the_meantime_is_not_overwritten(client: SyncPrefectClient, recovery: Recovery) -> None:
    """If a flow run gets its final state after it was found, that state stays."""
    flow_run = running(client, Sign(dead_owner(), 1))
    run = found(recovery, flow_run)
    client.set_flow_run_state(UUID(flow_run), Completed())

    recovery.end(run)

    assert client.read_flow_run(UUID(flow_run)).state_name == "Completed"


def test_a_run_that_was_declared_dead_by_mistake_corrects_it(client: SyncPrefectClient, recovery: Recovery) -> None:
    """If a run that was Crashed ends after all, for example since its machine only slept, its own final state counts."""
    flow_run = running(client, Sign(dead_owner(), 1))
    recovery.end(found(recovery, flow_run))

    client.set_flow_run_state(UUID(flow_run), Completed())

    assert client.read_flow_run(UUID(flow_run)).state_name == "Completed"


def test_a_run_that_was_being_cancelled_is_crashed_too(client: SyncPrefectClient, recovery: Recovery) -> None:
    """If the process died while the run was being cancelled, and nobody has ended it for long, it is Crashed."""
    flow_run = running(client, Sign(dead_owner(), 1))
    client.set_flow_run_state(UUID(flow_run), Cancelling())
    at_first = {run.id for run in recovery.surely_dead()}
    silent(client, flow_run)

    recovery.end(found(recovery, flow_run))

    assert flow_run not in at_first
    assert client.read_flow_run(UUID(flow_run)).state_name == "Crashed"


def test_task_runs_are_crashed_too(client: SyncPrefectClient, recovery: Recovery) -> None:
    """Task runs that ran are Crashed with their flow run; those that Prefect records only later are found afterwards."""
    flow_run = running(client, Sign(dead_owner(), 1))
    early, ended = running_task(client, flow_run), running_task(client, flow_run)
    client.set_task_run_state(ended, Completed())
    recovery.end(found(recovery, flow_run))
    late = running_task(client, flow_run)

    (run,) = [run for run in recovery.crashed_in_part() if run.id == flow_run]
    recovery.end_tasks(run)

    names = [client.read_task_run(task_run).state_name for task_run in (early, ended, late)]
    assert names == ["Crashed", "Completed", "Crashed"]
    assert flow_run not in {run.id for run in recovery.crashed_in_part()}


def test_two_at_once_do_no_harm(client: SyncPrefectClient, recovery: Recovery, prefect_api: str) -> None:
    """If two processes end the same run, it is Crashed once, with one reason."""
    flow_run = running(client, Sign(dead_owner(), 1))
    run = found(recovery, flow_run)

    recovery.end(run)
    recovery.end(run)

    states = prefect_records.ask(prefect_api, f"flow_run_states/?flow_run_id={flow_run}")
    assert [state["type"] for state in states].count("CRASHED") == 1


def test_a_silent_run_of_another_machine_is_dead_after_its_chance(client: SyncPrefectClient, recovery: Recovery) -> None:
    """Of two silent runs, the one that uses its chance to send a sign lives, and the other one is dead."""
    sign = Sign(foreign(dead_owner()), 1)
    dead, alive = running(client, sign), running(client, sign)
    for flow_run in (dead, alive):
        silent(client, flow_run)
    chances: list[float] = []
    told: list[str] = []

    def wait(seconds: float) -> None:
        chances.append(seconds)
        if len(chances) == 1:
            beat(client, alive, sign)

    ids = {run.id for run in recovery.all_dead(wait, told.append).dead}

    assert dead in ids
    assert alive not in ids
    assert sum(chances) == CHANCE_SECONDS
    assert told[0].startswith(f"waiting {CHANCE_SECONDS:g} s for a sign of life of ")


def test_nothing_is_dead_while_prefect_is_away(
    client: SyncPrefectClient, settings: Settings, prefect_api: str, tmp_path: Path
) -> None:
    """If Prefect goes away while silent runs have their chance, no sign could arrive, so no run is declared dead."""
    silent(client, running(client, Sign(foreign(dead_owner()), 1)))

    with (
        fault_proxy(prefect_api.removesuffix("/api")) as proxy,
        temporary_settings({PREFECT_API_URL: f"{proxy.url}/api", PREFECT_CLIENT_MAX_RETRIES: 0}),
        get_client(sync_client=True) as through,
    ):
        records = DeadRecords(replace(settings, data=tmp_path), no_page)
        recovery = Recovery(PrefectRuns(through), records, this_process(None), SILENCE)

        with pytest.raises(httpx.HTTPError):
            recovery.all_dead(lambda _: proxy.after(0, "refused"), lambda _: None)


def test_a_run_with_fresh_signs_needs_no_chance(client: SyncPrefectClient, settings: Settings) -> None:
    """A run of another machine that gives signs of life is not waited for, and lives."""
    flow_run = running(client, Sign(foreign(dead_owner()), 1))
    patient = Recovery(PrefectRuns(client), DeadRecords(settings, no_page), ME, 3600)

    lost = patient.all_dead(lambda _: pytest.fail("waited"), lambda _: None)

    assert flow_run not in {run.id for run in lost.dead}


def test_records_without_a_flow_run_are_found_too(settings: Settings, tmp_path: Path) -> None:
    """A record whose process is dead is found by its mark, even if Prefect knows nothing of it; others are left alone."""
    results = Path(settings.results)
    dead, alive, ended = (Recorded(results, number=number) for number in range(3))
    for recorded, owner in ((dead, dead_owner()), (alive, str(ME)), (ended, dead_owner())):
        mark_owner(recorded.folder, OwnerMark(owner, "flow-1", "http://prefect/flow-1"))
    ended.end()
    records = DeadRecords(replace(settings, data=tmp_path / "data"), no_page)

    ((run, death),) = records.without_process(ME)
    records.end(run, death)

    summary = run.summary()
    assert run.run_id == dead.run_id
    assert summary is not None
    assert (summary.flow_run_url, summary.error) == (
        "http://prefect/flow-1",
        f"the run's process ended without a word on {ME.host}",
    )
