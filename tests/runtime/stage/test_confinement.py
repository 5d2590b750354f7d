"""The limits of stages: processes, addresses, the output and the files that they leave."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import stage
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.engine import Engine
from dockercise_prefect.runtime.network.slot_maker import FOLDER
from dockercise_prefect.runtime.stage.confinement import METADATA, Confinement
from dockercise_prefect.status import StageStatus
from tests.engines.driving import rehearse
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine
from tests.runtime.workspaces import sh, workspace


def test_every_stage_has_a_limit_of_processes(scripted: ScriptedEngine) -> None:
    """Without a setting, a script that goes wrong can start some thousand processes and no more."""
    with workspace(scripted, sh("a", "x")) as ran:
        ran.run(ran.pipeline.by_name["a"])

    (spec,) = [spec for spec in scripted.specs if "dockercise.stage" in spec.labels]
    assert (spec.pids, spec.dropped) == (4096, ())


@pytest.mark.docker
def test_the_kernel_holds_the_limit_of_processes(docker_engine: DockerEngine, run_id: str) -> None:
    """The kernel refuses further processes to a stage at its limit, and the stage ends."""
    flood = "i=0; while [ $i -lt 100 ]; do sleep 60 & i=$((i+1)); done; wait"

    with workspace(docker_engine, sh("a", flood, timeout=60), run_id=run_id, confinement=Confinement(pids=40)) as ran:
        result = ran.run(ran.pipeline.by_name["a"])

    assert result.status is StageStatus.FAILED, result
    assert b"can't fork" in ran.output["a", "stderr"]


@pytest.mark.parametrize("bound", [9, 10, 11, 1000])
def test_what_is_printed_is_bounded(engine: Engine, run_id: str, bound: int) -> None:
    """A stage that prints too much on both channels together is ended and fails, also with `neverFail`; early output stays."""
    rehearse(engine, "echo 01234", Behaviour(stdout=b"01234", stderr=b"56789", blocks=bound < 10))
    script = "printf 01234; printf 56789 >&2" + ("; sleep 600" if bound < 10 else "")

    with workspace(
        engine,
        sh("a", f"{script} # echo 01234", never_fail=True, stop_grace=1),
        run_id=run_id,
        confinement=Confinement(output=bound),
    ) as ran:
        result = ran.run(ran.pipeline.by_name["a"])
        printed = ran.output.get(("a", "stdout"), b"") + ran.output.get(("a", "stderr"), b"")

    if bound < 10:
        assert result.status is StageStatus.FAILED
        assert str(result.message).startswith("it printed more than the limit of 9")
        assert len(printed) == 9
    else:
        assert (result.status, sorted(printed)) == (StageStatus.PASSED, sorted(b"0123456789"))


@pytest.mark.parametrize(("bound", "kept"), [(4_000, False), (1_000_000, True)])
def test_what_is_left_in_a_volume_is_bounded(engine: Engine, run_id: str, bound: int, kept: bool) -> None:
    """Files beyond the limit are not kept, and the code that keeps the volume gets an error."""
    rehearse(engine, "head -c", Behaviour(writes={"/a/f": bytes(8_000)}))
    told: list[str] = []

    with workspace(
        engine, sh("a", "head -c 8000 /dev/zero >$OUT/f"), run_id=run_id, confinement=Confinement(volume=bound)
    ) as ran:

        def keep(files: Iterator[bytes] | None) -> None:
            try:
                b"".join(files or ())
            except EngineError as error:
                told.append(error.message)

        ran.run(ran.pipeline.by_name["a"], keep=keep)

    assert told == ([] if kept else ["it is larger than the limit of 4000"])


CLOSED = Confinement(closed=METADATA)


@pytest.mark.docker
def test_closed_addresses_are_out_of_reach(docker_engine: DockerEngine, run_id: str) -> None:
    """Requests to closed addresses fail immediately, in several stages at the same time; all other addresses work as before."""
    look = """
        ip route
        for address in 169.254.169.254 169.254.170.2 100.100.100.200 168.63.129.16; do
          ! timeout 20 nc -w 15 "$address" 80 </dev/null 2>&1 || exit 9
        done
        ip route get 169.254.169.254 && exit 8
        ip route get 203.0.113.7"""
    stages = [sh(name, look, timeout=100) for name in ("a", "b", "c")]

    with workspace(docker_engine, *stages, run_id=run_id, confinement=CLOSED) as ran, ThreadPoolExecutor() as pool:
        results = list(pool.map(ran.run, stages))

    for result in results:
        said = ran.output[result.stage, "stdout"].decode() + ran.output.get((result.stage, "stderr"), b"").decode()
        assert result.status is StageStatus.PASSED, (result, said)
        assert "unreachable 169.254.0.0/16" in said
        assert "203.0.113.7 via" in said


@pytest.mark.docker
@pytest.mark.parametrize(
    "attempt",
    [
        "ip route del unreachable 169.254.0.0/16",
        "ip route add 169.254.169.254 via $(ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p')",
        "arping -c 1 -I eth0 169.254.169.254",
    ],
)
def test_a_stage_cannot_open_them_again(docker_engine: DockerEngine, run_id: str, attempt: str) -> None:
    """Even root cannot do it, neither with another route nor with packets of its own."""
    with workspace(docker_engine, sh("a", f"id -u; {attempt}", user="0"), run_id=run_id, confinement=CLOSED) as ran:
        result = ran.run(ran.pipeline.by_name["a"])

    assert result.status is StageStatus.FAILED
    assert b"ermitted" in ran.output["a", "stderr"]


def test_each_stage_has_a_closed_network_or_does_not_start(scripted: ScriptedEngine) -> None:
    """If no closed network can be had, the stage is in error, with a reason, and has no container; `none` needs no network."""
    scripted.script(FOLDER, Behaviour(start_error="no such sysctl", exit_code=126))
    stages = [sh("a", "x"), sh("b", "y"), stage("c", image=BUSYBOX, run="z", network="none")]

    with workspace(scripted, *stages, confinement=CLOSED) as ran:
        results = [ran.run(each) for each in stages]

    assert [result.status for result in results] == [StageStatus.ERROR, StageStatus.ERROR, StageStatus.PASSED]
    assert "cannot create a network that blocks a cloud's own addresses" in str(results[0].message)
    assert "no such sysctl" in str(results[0].message)
    assert [spec.network for spec in scripted.specs if "dockercise.stage" in spec.labels] == ["none"]
    assert scripted.leftovers() == []


def test_stages_side_by_side_have_closed_networks_of_their_own(scripted: ScriptedEngine) -> None:
    """If each stage must have a closed network, more than the usual number are made, and they are used again."""
    stages = [sh(f"s{number}", "x") for number in range(3)]

    with workspace(scripted, *stages, confinement=CLOSED) as ran:
        for thread in ran.workspace._slots._threads:
            thread.join(60)
        with ran.workspace._slots.lease(lambda: None) as one, ran.workspace._slots.lease(lambda: None) as two:
            pass
        results = [ran.run(each) for each in stages]

    networks = [spec.network for spec in scripted.specs if "dockercise.stage" in spec.labels]
    assert one.network != two.network
    assert set(networks) <= {one.network, two.network}
    assert [result.status for result in results] == [StageStatus.PASSED] * 3
    assert {spec.dropped for spec in scripted.specs if "dockercise.stage" in spec.labels} == {("NET_RAW",)}


def test_what_is_closed() -> None:
    """The closed addresses are the metadata addresses of all clouds that we know."""
    addresses = ["169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"]

    assert all(any(ip_address(address) in each for each in METADATA) for address in addresses)
