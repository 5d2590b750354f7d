"""Standing networks: how many there are, that they separate stages, and that a stage never fails because of one."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import Pipeline, Stage, built_from, code, stage
from dockercise_prefect.runtime.engine import ContainerSpec, Engine, ExitState, ResolvedImage
from dockercise_prefect.runtime.network.slot_maker import FOLDER
from dockercise_prefect.runtime.network.slots import NetworkSlots, useful_slots
from dockercise_prefect.runtime.output_sink import OutputSink
from tests.engines.driving import PATIENCE
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine
from tests.runtime.network.making import may_start, slots_on
from tests.runtime.workspaces import run_all, sh, workspace


def chain(length: int) -> Pipeline:
    """Stages that each come after the previous one."""
    stages: list[Stage] = []
    for number in range(length):
        stages.append(stage(f"s{number}", image=BUSYBOX, run="x", after=stages[-1:]))
    return Pipeline("p", stages)


def fan(width: int, **more: str) -> Pipeline:
    """Stages that need no others."""
    return Pipeline("p", [stage(f"s{number}", image=BUSYBOX, run="x", **more) for number in range(width)])  # type: ignore[arg-type]  # free keywords


@pytest.mark.parametrize(
    ("pipeline", "jobs", "slots"),
    [
        (chain(1), 10, 0),
        (chain(2), 10, 1),
        (chain(20), 10, 1),
        (fan(5), 10, 2),
        (fan(40), 10, 10),
        (fan(40), 2, 2),
        (fan(40, network="none"), 10, 0),
        (Pipeline("p", [stage("join")]), 10, 0),
        (Pipeline("p", [stage(f"b{number}", build=built_from(code)) for number in range(9)]), 10, 0),
        (Pipeline("p", [stage(f"b{number}", build=built_from(code), run="x") for number in range(9)]), 10, 4),
    ],
)
def test_as_many_as_pay_for_themselves(pipeline: Pipeline, jobs: int, slots: int) -> None:
    """There are no more slots than can be used together, and none for a few stages."""
    assert useful_slots(pipeline, jobs) == slots


def leased(slots: NetworkSlots, check: Callable[[], None]) -> str:
    """The network that a stage gets."""
    with slots.lease(check) as lease:
        return lease.network


def test_a_slot_is_for_one_stage_at_a_time(slots: NetworkSlots) -> None:
    """A stage for which no slot becomes free gets a network of its own; a slot that was given back clean is used again."""
    with slots.lease(may_start) as first, slots.lease(may_start) as second:
        pass
    with slots.lease(may_start) as third:
        pass

    assert first.network.startswith("container:")
    assert second.network == "bridge"
    assert third.network == first.network


def test_a_stage_waits_for_a_slot_that_is_given_back(slots: NetworkSlots) -> None:
    """If all slots are in use, a stage waits for one, as long as making one takes, and then uses it."""
    slots._patience = PATIENCE
    waits = threading.Event()
    with ThreadPoolExecutor() as pool:
        with slots.lease(may_start) as first:
            second = pool.submit(leased, slots, waits.set)
            assert waits.wait(PATIENCE)

        assert second.result(PATIENCE) == first.network


@pytest.mark.parametrize("enough", [1, 2])
def test_a_stage_waits_longer_if_there_are_enough_slots(
    slots: NetworkSlots, monkeypatch: pytest.MonkeyPatch, enough: int
) -> None:
    """With as many slots as keep the engine's processors busy, a stage does not give up so soon."""
    monkeypatch.setattr("dockercise_prefect.runtime.network.slots.LONGER", PATIENCE * 1000)
    slots._enough, slots._patience = enough, 0.001
    waits = threading.Event()
    with ThreadPoolExecutor() as pool:
        with slots.lease(may_start) as first:
            second = pool.submit(leased, slots, waits.set)
            assert waits.wait(PATIENCE)
            wait([second], timeout=0.3)  # much longer than its usual patience
        network = second.result(PATIENCE)

    assert network == (first.network if enough == 1 else "bridge")


def test_a_cancelled_stage_does_not_wait_for_a_slot(slots: NetworkSlots) -> None:
    """If the run is cancelled, a stage that waits for a slot ends at once, although no slot becomes free."""
    slots._patience = PATIENCE
    waits, cancelled = threading.Event(), threading.Event()

    def check() -> None:
        waits.set()
        if cancelled.is_set():
            raise EngineError("cancelled")

    with ThreadPoolExecutor() as pool, slots.lease(may_start):
        second = pool.submit(leased, slots, check)
        assert waits.wait(PATIENCE)
        cancelled.set()
        slots.wake()

        with pytest.raises(EngineError, match="cancelled"):
            second.result(PATIENCE)


def test_more_slots_are_made_if_none_becomes_free(engine: Engine, image: ResolvedImage, slots: NetworkSlots) -> None:
    """A stage that has waited for nothing makes a slot that the next stage uses too, but not more slots than pay."""
    slots.allow(1, image.id)
    with slots.lease(may_start) as first:
        with slots.lease(may_start) as second, slots.lease(may_start) as third:
            pass
        with slots.lease(may_start) as fourth:
            pass

    assert first.network != second.network
    assert second.network.startswith("container:")
    assert third.network == "bridge"
    assert fourth.network == second.network


def test_nobody_waits_for_slots_that_cannot_be_made(scripted: ScriptedEngine) -> None:
    """If the engine cannot make slots, a stage that waits for the first one gets a network of its own at once."""
    scripted.script(FOLDER, Behaviour(refused={"openat"}))
    slots = slots_on(scripted)
    slots._patience = PATIENCE
    slots.allow(1, scripted.add_image(BUSYBOX))

    network = leased(slots, may_start)
    slots.close()

    assert network == "bridge"


def test_a_slot_with_somebody_in_it_is_not_used_again(slots: NetworkSlots) -> None:
    """If the stage's container may still exist, no other stage gets its network."""
    with slots.lease(may_start) as first:
        first.clean = False
    with slots.lease(may_start) as second:
        pass

    assert (first.network.partition(":")[0], second.network) == ("container", "bridge")


def test_a_slot_that_ended_is_not_used(engine: Engine, slots: NetworkSlots) -> None:
    """If somebody kills a slot, the run loses only speed."""
    with slots.lease(may_start) as first:
        pass
    engine.stop(first.network.removeprefix("container:"), 0)

    with slots.lease(may_start) as second:
        pass

    assert second.network == "bridge"


@pytest.mark.parametrize("moment", ["create", "run"])
def test_a_slot_that_ends_before_its_stage_starts(
    engine: Engine, run_id: str, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """If somebody kills a slot in the moment in which a stage is created or started in it, the stage gets another network."""
    create, run = engine.create, engine.run
    joined: list[str] = []

    def creating(spec: ContainerSpec) -> str:
        if spec.network.startswith("container:"):
            joined.append(spec.network.removeprefix("container:"))
            if moment == "create" and len(joined) == 1:
                engine.remove(joined[0])
        return create(spec)

    def running(container: str, stdin: bytes | None, sink: OutputSink) -> ExitState:
        if moment == "run" and len(joined) == 1:
            engine.stop(joined[0], 0)
        return run(container, stdin, sink)

    monkeypatch.setattr(engine, "create", creating)
    monkeypatch.setattr(engine, "run", running)
    stages = [sh("a", "true")]
    stages += [sh(f"s{number}", "true", after=[stages[0]]) for number in range(3)]
    with workspace(engine, *stages, run_id=run_id) as ran:
        for thread in ran.workspace._slots._threads:
            thread.join(60)
        results = [ran.run(each) for each in stages]

    assert joined[0] not in joined[1:]
    assert [result.status.value for result in results] == ["passed"] * 4, results
    assert [leftover for leftover in engine.leftovers() if leftover.labels["dockercise.run"] == run_id] == []


def test_a_run_without_slots_goes_on(scripted: ScriptedEngine) -> None:
    """If no slot can be made, stages still run, and it is reported once."""
    scripted.script(FOLDER, Behaviour(start_error="exec format error", exit_code=126))
    pipeline = fan(9)

    with workspace(scripted, *pipeline) as ran:
        results = [ran.run(each).status.value for each in pipeline]

    assert results == ["passed"] * 9
    assert len([line for line in ran.said if "exec format error" in line]) == 1
    assert scripted.leftovers() == []


def test_slots_are_used_and_gone_in_the_end(scripted: ScriptedEngine) -> None:
    """A chain runs in one standing network, and nothing of it is left at the end."""
    pipeline = chain(4)
    with workspace(scripted, *pipeline) as ran:
        for thread in ran.workspace._slots._threads:
            thread.join(60)
        for each in pipeline:
            ran.run(each)

    networks = [spec.network for spec in scripted.specs if "dockercise.stage" in spec.labels]
    assert len(set(networks)) == 1
    assert networks[0].startswith("container:")
    assert scripted.leftovers() == []


def test_other_networks_stay_as_they_are(scripted: ScriptedEngine) -> None:
    """`none` and `host` are not replaced."""
    run_all(scripted, *fan(4, network="none"))

    assert {spec.network for spec in scripted.specs} == {"none"}


def test_a_slot_whose_files_cannot_be_opened_is_no_slot(scripted: ScriptedEngine) -> None:
    """A slot counts only if it can put its files back."""
    scripted.script(FOLDER, Behaviour(refused={"openat"}))
    slots = slots_on(scripted)
    image = scripted.add_image(BUSYBOX)

    slots.allow(1, image)
    slots.start()
    slots.close()

    assert leased(slots, may_start) == "bridge"


def test_a_slot_that_cannot_be_made_is_removed(scripted: ScriptedEngine) -> None:
    """If the engine does not let us use a container, the container is removed."""
    scripted.fail("converse", EngineError("no"))
    slots = slots_on(scripted)

    slots.allow(1, scripted.add_image(BUSYBOX))
    slots.start()
    slots.close()

    assert [leftover.kind for leftover in scripted.leftovers()] == ["volume"] * 2


def test_no_slots_where_every_image_is_yet_to_be_made(scripted: ScriptedEngine) -> None:
    """If no image exists yet, no slot is made, and nothing is reported."""
    said: list[str] = []
    made = slots_on(scripted, notify=said.append)

    made.allow(2, None)
    made.start()
    with made.lease(may_start) as lease:
        network = lease.network
    made.close()

    assert (network, said, scripted.specs) == ("bridge", [], [])
