"""What one stage in a standing network sees of another one: nothing."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from dockercise_prefect.pipeline import engine_volume, stage
from dockercise_prefect.runtime.docker.connection import connect
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.engine import Engine, ResolvedImage
from dockercise_prefect.runtime.network.slot_maker import FOLDER, PROGRAM
from dockercise_prefect.runtime.network.slots import NetworkSlots
from tests.engines.driving import Output, container, spec_of
from tests.engines.scripted import BUSYBOX
from tests.runtime.network.making import may_start
from tests.runtime.workspaces import sh, workspace


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
    assert ran.output["a", "stderr"] == b"evil was here\n"
    assert {words[-1].split()[-1] for words in processes} == {f"{FOLDER}/{PROGRAM}"}
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
