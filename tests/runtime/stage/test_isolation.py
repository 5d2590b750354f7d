"""What a stage's container has, and what it cannot reach: rights, devices, processes, and the volumes of other runs."""

from __future__ import annotations

import subprocess
import textwrap
from typing import Any

import pytest
from docker import APIClient

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import engine_volume, stage
from dockercise_prefect.runtime.cleanup.labels import RUN
from dockercise_prefect.runtime.docker.connection import connect
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.engine import Engine
from dockercise_prefect.runtime.stage.confinement import Confinement
from dockercise_prefect.status import StageStatus
from tests.engines.scripted import BUSYBOX, ScriptedEngine
from tests.runtime.workspaces import sh, workspace

_CODE = bytes.fromhex(
    "b86b000000"  # mov eax, 107: geteuid
    "0f05"  # syscall
    "89c7"  # mov edi, eax
    "b83c000000"  # mov eax, 60: exit, with the id's lowest byte
    "0f05"  # syscall
)
_HEADER = (
    b"\x7fELF\x02\x01\x01" + bytes(9)  # 64 bits, little endian, version 1
    + (2).to_bytes(2, "little") + (62).to_bytes(2, "little") + (1).to_bytes(4, "little")  # an executable for amd64
    + (0x400078).to_bytes(8, "little") + (64).to_bytes(8, "little") + bytes(8)  # where it begins, and the one segment's header
    + bytes(4) + (64).to_bytes(2, "little") + (56).to_bytes(2, "little") + (1).to_bytes(2, "little") + bytes(6)
    + (1).to_bytes(4, "little") + (5).to_bytes(4, "little") + bytes(8)  # a segment to load, readable and executable
    + (0x400000).to_bytes(8, "little") * 2 + (120 + len(_CODE)).to_bytes(8, "little") * 2 + (4096).to_bytes(8, "little")
)  # fmt: skip
WHO = "".join(f"\\{byte:03o}" for byte in _HEADER + _CODE)
"""A program for `printf` whose exit code is the lowest byte of the user id that it runs with."""

MAKES_IT = f"printf '{WHO}' >$OUT/who; chmod 4755 $OUT/who"


@pytest.mark.docker
@pytest.mark.parametrize(("sudo", "exit_code"), [(False, 1000 % 256), (True, 0)])
def test_rights_are_gained_only_with_sudo(docker_engine: DockerEngine, run_id: str, sudo: bool, exit_code: int) -> None:
    """A program of root with the setuid bit runs as the stage's own user, and as root in a stage with `sudo: true`."""
    make = sh("make", MAKES_IT)
    use = sh("use", "/make/who", user="1000:1000", volumes=[make.volume], sudo=sudo)

    with workspace(docker_engine, make, use, run_id=run_id) as ran:
        results = [ran.run(each) for each in (make, use)]

    assert results[0].status is StageStatus.PASSED, results[0]
    assert results[1].exit_code == exit_code, results[1]


def test_the_key_is_what_decides(scripted: ScriptedEngine) -> None:
    """Only the container of a stage with `sudo: true` may gain rights; no container that helps it may."""
    with workspace(scripted, sh("a", "x"), sh("b", "y", sudo=True)) as ran:
        for each in ran.pipeline:
            ran.run(each)

    assert [spec.labels.get("dockercise.stage") for spec in scripted.specs if spec.gains_rights] == ["b"]


_LOOKS = """
    echo "== rights"; grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status
    echo "== devices"; find /dev ! -type d ! -path '/dev/pts/*' | sort
    echo "== mounts"; cut -d' ' -f5 /proc/self/mountinfo | sort -u
    echo "== sockets"; find / -xdev -type s 2>/dev/null
    echo "== processes"; ls /proc | grep -c '^[0-9]'
"""


def _sections(text: str) -> dict[str, list[str]]:
    parts = [part.strip().split("\n") for part in textwrap.dedent(text).split("== ")[1:]]
    return {name: lines for name, *lines in parts}


@pytest.mark.docker
def test_a_container_has_what_docker_gives_every_container(docker_engine: DockerEngine, run_id: str) -> None:
    """A stage has the capabilities, devices, mounts and sockets of `docker run` and its own volume, and gains no rights."""
    plain = subprocess.run(
        ["docker", "run", "--rm", "--init", "--network=bridge", BUSYBOX, "sh", "-c", _LOOKS],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip

    with workspace(docker_engine, sh("a", _LOOKS), run_id=run_id) as ran:
        ran.run(ran.pipeline.by_name["a"])

    expected, found = _sections(plain.stdout), _sections(ran.printed("a").decode())
    mounts = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}  # those of Docker that depend on the kind of network
    assert "NoNewPrivs:\t0" in expected["rights"]
    assert found["rights"] == [line.replace("NoNewPrivs:\t0", "NoNewPrivs:\t1") for line in expected["rights"]]
    assert found["devices"] == expected["devices"]
    assert set(found["mounts"]) - mounts == {*expected["mounts"], "/a"} - mounts
    assert found["sockets"] == expected["sockets"] == []


@pytest.mark.docker
def test_a_container_asks_the_engine_for_nothing_more(docker_engine: DockerEngine, run_id: str) -> None:
    """The engine's record of a stage's container has no privilege, capability, device, bind or namespace of the machine."""
    client, _ = connect()
    said: list[dict[str, Any]] = []

    with workspace(docker_engine, sh("a", "echo up"), run_id=run_id) as ran:
        ran.run(ran.pipeline.by_name["a"], sink=lambda *_: said.extend(_containers(client, run_id)))
    client.close()

    (host,) = [one["HostConfig"] for one in said if one["Config"]["Labels"].get("dockercise.stage") == "a"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["PidsLimit"] == 4096
    assert not host["Privileged"]
    asked = ("CapAdd", "Devices", "DeviceRequests", "DeviceCgroupRules", "Binds", "VolumesFrom", "GroupAdd", "PidMode")
    assert [key for key in (*asked, "UTSMode", "UsernsMode", "Links", "ExtraHosts", "PortBindings") if host[key]] == []
    assert host["IpcMode"] in {"", "private"}
    assert [(mount["Type"], mount["Target"]) for mount in host["Mounts"]] == [("volume", "/a")]


def _containers(client: APIClient, run_id: str) -> list[dict[str, Any]]:
    found = client.containers(filters={"label": f"{RUN}={run_id}"})
    return [client.inspect_container(each["Id"]) for each in found]


def test_volumes_of_other_runs_are_refused(engine: Engine, run_id: str) -> None:
    """A pipeline that names the volume of another run does not start, and the message says what to mount instead."""
    other = f"dockercise-{run_id}-other"
    engine.create_volume(other, {RUN: run_id, "dockercise.owner": "somewhere"})
    spy = stage("spy", image=BUSYBOX, run="ls /other", volumes=[engine_volume(other, "/other")])

    with pytest.raises(EngineError) as caught, workspace(engine, spy, run_id=run_id):
        pytest.fail("the run has begun")

    engine.remove_volume(other)
    assert caught.value.message == f"the pipeline mounts the volume {other}, which belongs to a run of dockercise"
    assert "`vol: STAGE`" in (caught.value.hint or "")


def test_volumes_of_the_user_are_mounted(engine: Engine, run_id: str) -> None:
    """A volume that the user has made, and one that is made for the pipeline, can be mounted by every run."""
    name = f"dockercise-test-{run_id}"
    cache = stage("use", image=BUSYBOX, run="true", volumes=[engine_volume(name, "/cache")])
    try:
        for _ in range(2):
            with workspace(engine, cache, run_id=run_id) as ran:
                assert ran.run(cache).status is StageStatus.PASSED
    finally:
        engine.remove_volume(name)


@pytest.mark.docker
def test_a_fork_bomb_ends(docker_engine: DockerEngine, run_id: str) -> None:
    """A script that starts itself again and again reaches the limit, is stopped at its timeout, and is removed."""
    bomb = "bomb() { bomb | bomb & }; bomb; sleep 600"

    with workspace(
        docker_engine, sh("a", bomb, timeout=5, stop_grace=1), run_id=run_id, confinement=Confinement(pids=64)
    ) as ran:
        result = ran.run(ran.pipeline.by_name["a"])

    assert result.status in {StageStatus.TIMED_OUT, StageStatus.FAILED}, result
    assert b"fork" in ran.output["a", "stderr"]
