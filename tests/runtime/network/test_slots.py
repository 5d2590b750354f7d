"""Standing networks: how many there are, that they separate stages, and that a stage never fails because of one."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import Pipeline, Stage, built_from, code, engine_volume, stage
from dockercise_prefect.runtime.cleanup.labels import Labels, RunIdentity
from dockercise_prefect.runtime.docker.connection import connect
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.engine import Engine, ResolvedImage
from dockercise_prefect.runtime.network.slots import HOLDER, NetworkSlots, useful_slots
from tests.engines.driving import PATIENCE, Output, container, spec_of
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine
from tests.runtime.workspaces import IDENTITY, run_all, sh, workspace


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


def may_start() -> None:
    """Let a stage start, whatever happens."""


def leased(slots: NetworkSlots, check: Callable[[], None]) -> str:
    """The network that a stage gets."""
    with slots.lease(check) as lease:
        return lease.network


@pytest.fixture
def slots(engine: Engine, image: ResolvedImage, run_id: str) -> Iterator[NetworkSlots]:
    """One slot, which is ready and free."""
    labels = Labels(RunIdentity(run_id, "p", "f"), "owner")
    made = NetworkSlots(engine, labels, print)
    made.allow(1, image.id)
    made.start()
    for thread in made._threads:
        thread.join(60)
    yield made
    made.close()
    for leftover in engine.leftovers():
        if labels.mine(leftover.labels):
            engine.discard(leftover)


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
    scripted.script(HOLDER, Behaviour(answer=lambda _line: "?"))
    slots = NetworkSlots(scripted, Labels(IDENTITY, "o"), print)
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


def test_a_run_without_slots_goes_on(scripted: ScriptedEngine) -> None:
    """If no slot can be made, stages still run, and it is reported once."""
    scripted.script(HOLDER, Behaviour(start_error="exec format error", exit_code=126))
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


@pytest.mark.docker
@pytest.mark.parametrize("engine", ["docker"], indirect=True)
def test_a_stage_sees_nothing_of_the_one_before(
    engine: Engine, image: ResolvedImage, slots: NetworkSlots, labels: dict[str, str]
) -> None:
    """The next stage in a network finds the files that Docker shares as they were, and every port free."""
    spoil = """
        cp /etc/hosts /etc/resolv.conf /etc/hostname /tmp
        for file in hosts resolv.conf hostname; do echo evil >>/etc/$file; done
        (while :; do echo hello | nc -l -p 5555; done) & until nc 127.0.0.1 5555 </dev/null | grep .; do sleep 0.05; done
        cat /tmp/hosts /tmp/resolv.conf /tmp/hostname"""
    look = """
        netstat -tan | grep 5555 && exit 9
        (while :; do echo again | nc -l -p 5555; done) & until nc 127.0.0.1 5555 </dev/null | grep .; do sleep 0.05; done
        cat /etc/hosts /etc/resolv.conf /etc/hostname"""

    printed = []
    networks = []
    for script in (spoil, look):
        output = Output()
        with slots.lease(may_start) as lease, container(engine, spec_of(image, labels, script, network=lease.network)) as id_:
            engine.run(id_, b"", output)
        printed.append(output.stdout.split(b"\n", 1))
        networks.append(lease.network)

    assert networks[0] == networks[1] != "bridge"
    assert [first for first, _ in printed] == [b"hello", b"again"]
    assert printed[0][1] == printed[1][1]
    assert b"evil" not in printed[1][1]


@pytest.mark.docker
@pytest.mark.parametrize(
    "spoil",
    [
        "chmod 600 /etc/hosts; echo evil >/etc/resolv.conf; : >/etc/hostname",
        "head -c 3000000 /dev/zero >/etc/hosts",
    ],
)
@pytest.mark.parametrize("engine", ["docker"], indirect=True)
def test_the_files_are_as_they_were_for_every_user(
    engine: Engine, image: ResolvedImage, slots: NetworkSlots, labels: dict[str, str], spoil: str
) -> None:
    """The next stage finds the original contents, also as another user, whatever root has done to the files."""
    look = "cat /etc/hosts /etc/resolv.conf /etc/hostname"
    printed = []
    for script, user in ((f"{look}; {spoil}", "0"), (look, "1000")):
        output = Output()
        spec_user = {"user": user}
        with (
            slots.lease(may_start) as lease,
            container(engine, spec_of(image, labels, script, network=lease.network, **spec_user)) as id_,
        ):
            assert engine.run(id_, b"", output).exit_code == 0
        printed.append(output.stdout)

    assert lease.network != "bridge"
    assert printed[0] == printed[1]


@pytest.mark.docker
@pytest.mark.parametrize("spoil", ["chown 1000 /etc/hosts", "chown 1000 /etc/resolv.conf; chmod 777 /etc/resolv.conf"])
@pytest.mark.parametrize("engine", ["docker"], indirect=True)
def test_a_slot_whose_files_cannot_be_put_back_is_not_used(
    engine: Engine, image: ResolvedImage, slots: NetworkSlots, labels: dict[str, str], spoil: str
) -> None:
    """The holder has no privileges with which it could repair such files, so it ends."""
    with slots.lease(may_start) as first, container(engine, spec_of(image, labels, spoil, network=first.network)) as id_:
        engine.run(id_, b"", Output())
    with slots.lease(may_start) as second:
        pass

    assert (first.network.partition(":")[0], second.network) == ("container", "bridge")


EVIL = f"""\
FROM {BUSYBOX}
COPY evil /evil
RUN mkdir /real && cp /bin/busybox /real/busybox && mv /evil /bin/sh
ENV BASH_ENV=/bin/sh ENV=/bin/sh LD_PRELOAD=/bin/evil.so
USER 1234
ENTRYPOINT ["/bin/sh"]
"""


@pytest.mark.docker
def test_nothing_of_a_pipelines_image_runs_beside_a_stage(docker_engine: DockerEngine, run_id: str, tmp_path: Path) -> None:
    """An image with another program as its shell never gets into the network of other stages; it runs only in its own stage."""
    (tmp_path / "evil").write_text('#!/real/busybox sh\necho evil was here >&2\nexec /real/busybox sh "$@"\n')
    (tmp_path / "evil").chmod(0o755)
    (tmp_path / "Dockerfile").write_text(EVIL)
    client, _ = connect()
    name = f"dockercise-test/evil-{run_id}"
    with closing(client):
        list(client.build(path=str(tmp_path), tag=name, rm=True, forcerm=True, decode=True))
        try:
            stages = [stage("a", image=name, run="echo a", pull="never")]
            stages += [sh(f"s{number}", "true", after=stages[-1:]) for number in range(3)]
            with workspace(docker_engine, *stages, run_id=run_id) as ran:
                for thread in ran.workspace._slots._threads:
                    thread.join(60)
                holder, *_ = client.containers(filters={"label": f"dockercise.run={run_id}"})
                inspected = client.inspect_container(holder["Id"])
                processes = client.top(holder["Id"], "-o pid,args")["Processes"]
                results = [ran.run(each) for each in ran.pipeline]
        finally:
            client.remove_image(name, force=True)

    assert [result.status.value for result in results] == ["passed"] * 4, results
    assert ran.output["a", "stderr"] == b"evil was here\n" * 2
    assert {words[-1].split()[-1] for words in processes} == {HOLDER}
    host = inspected["HostConfig"]
    assert (host["CapDrop"], host["CapAdd"] or []) == (["ALL"], [])
    assert (host["Memory"], host["PidsLimit"]) == (16 << 20, 64)


@pytest.mark.docker
def test_two_stages_listen_on_one_port_at_the_same_time(docker_engine: DockerEngine, run_id: str) -> None:
    """Each stage has a network of its own: all of them open the port at the same time, and hear only themselves."""
    script = """
        (while :; do echo "$DOCKERCISE_STAGE" | nc -l -p 7777; done) &
        until netstat -tln | grep -q 7777; do sleep 0.05; done
        touch "/meet/$DOCKERCISE_STAGE"; until [ "$(ls /meet | wc -l)" = 3 ]; do sleep 0.05; done
        until nc 127.0.0.1 7777 </dev/null | grep .; do sleep 0.05; done"""
    volume = f"dockercise-test-{run_id}"
    stages = [stage(name, image=BUSYBOX, run=script, volumes=[engine_volume(volume, "/meet")], timeout=60) for name in "abc"]
    try:
        with workspace(docker_engine, *stages, run_id=run_id) as ran, ThreadPoolExecutor() as pool:
            for thread in ran.workspace._slots._threads:
                thread.join(60)
            list(pool.map(ran.run, stages))
            values = [ran.value(name) for name in "abc"]
    finally:
        docker_engine.remove_volume(volume)

    assert values == [b"a", b"b", b"c"]


def test_a_slot_that_does_not_answer_is_no_slot(scripted: ScriptedEngine) -> None:
    """A slot counts only if it gives the right answer."""
    scripted.script(HOLDER, Behaviour(answer=lambda _line: "?"))
    slots = NetworkSlots(scripted, Labels(IDENTITY, "o"), print)
    image = scripted.add_image(BUSYBOX)

    slots.allow(1, image)
    slots.start()
    slots.close()

    assert leased(slots, may_start) == "bridge"


def test_a_slot_that_cannot_be_made_is_removed(scripted: ScriptedEngine) -> None:
    """Everything that was made before the failure is removed."""
    scripted.fail("converse", EngineError("no"))
    slots = NetworkSlots(scripted, Labels(IDENTITY, "o"), print)

    slots.allow(1, scripted.add_image(BUSYBOX))
    slots.start()
    slots.close()

    assert scripted.leftovers() == []


def test_no_slots_where_every_image_is_yet_to_be_made(scripted: ScriptedEngine) -> None:
    """If no image exists yet, no slot is made, and nothing is reported."""
    said: list[str] = []
    made = NetworkSlots(scripted, Labels(RunIdentity("r", "p", "f"), "owner"), said.append)

    made.allow(2, None)
    made.start()
    with made.lease(may_start) as lease:
        network = lease.network
    made.close()

    assert (network, said, scripted.specs) == ("bridge", [], [])
