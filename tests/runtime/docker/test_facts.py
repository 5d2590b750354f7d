"""What is read from an engine's answers about itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dockercise_prefect.runtime.disk_room import room_at
from dockercise_prefect.runtime.docker.connection import Address
from dockercise_prefect.runtime.docker.facts import EngineInspection, EngineUsage, facts_of, usage_of

AT = Address("tcp://ada:secret@host:2376", "DOCKER_HOST")
VERSION = {"Version": "28.5.2", "ApiVersion": "1.51", "Os": "linux", "Arch": "arm64"}
INFO: dict[str, Any] = {
    "Driver": "overlayfs",
    "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
    "DockerRootDir": "/var/lib/docker",
    "SystemTime": "2026-11-29T23:31:14.437189471+02:00",
    "OperatingSystem": "Debian GNU/Linux 13",
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"],
    "InitBinary": "docker-init",
    "MemoryLimit": False,
    "CpuCfsQuota": True,
    "PidsLimit": True,
}
NOW = 1795987874.437189


def test_an_engine_with_containerd() -> None:
    """The image store, the limits that its kernel does not keep, and its address without a password."""
    facts = facts_of(VERSION, INFO, AT, None, before=NOW - 1, after=NOW + 1)

    assert facts.store == "containerd (overlayfs)"
    assert (facts.machine, facts.unlimited, facts.rootless, facts.has_init) == ("linux/arm64", ("memory",), True, True)
    assert "secret" not in f"{facts}"


@pytest.mark.parametrize(
    ("told", "ahead"),
    [("2026-11-29T21:31:24.43718947Z", 10.0), ("2026-11-29T23:31:14.437189471+02:00", 0.0), ("", None), ("soon", None)],
)
def test_the_clock_is_compared_with_the_middle_of_the_question(told: str, ahead: float | None) -> None:
    """Any time zone and any number of digits; an engine may also not tell its time."""
    facts = facts_of(VERSION, INFO | {"SystemTime": told}, AT, None, before=NOW - 1, after=NOW + 1)

    assert facts.ahead == (None if ahead is None else pytest.approx(ahead, abs=0.001))
    assert facts.doubt == 1


def test_an_engine_that_tells_little() -> None:
    """Answers of other versions may lack any of it."""
    facts = facts_of({}, {}, AT, None, before=0, after=0)

    assert (facts.version, facts.unlimited, facts.ahead) == ("", (), None)


def test_usage() -> None:
    """Sizes that the engine does not know count as nothing, and so does a cache that is part of an image."""
    answer = {
        "LayersSize": 7,
        "Containers": [{"SizeRw": 3}, {}],
        "Volumes": [{"UsageData": {"Size": 5}}, {"UsageData": {"Size": -1}}, {"UsageData": None}],
        "BuildCache": [{"Size": 2, "Shared": False}, {"Size": 100, "Shared": True}],
    }

    assert usage_of(answer) == EngineUsage(images=7, containers=3, volumes=5, build_cache=2)
    assert usage_of({"LayersSize": None, "BuildCache": None}) == EngineUsage(0, 0, 0, 0)


@pytest.mark.docker
def test_the_real_engine() -> None:
    """The engine of the tests tells all of it, and its clock is ours if it runs here."""
    inspection = EngineInspection.connect()

    facts, usage = inspection.facts(), inspection.usage()

    inspection.engine.close()
    assert facts.api.split(".")[0] == "1"
    assert facts.folder
    assert facts.ahead is not None
    assert usage.images > 0
    if facts.room is not None:
        assert facts.room.where == facts.folder
        assert 0 < facts.room.free <= facts.room.size


def test_the_room_of_a_folder_that_is_still_missing(tmp_path: Path) -> None:
    """It is that of the disk that the folder would be made on; the kernel's own file systems have none."""
    room = room_at(tmp_path / "a" / "b")

    assert room is not None
    assert room.where == str(tmp_path)
    assert room.size == os.statvfs(tmp_path).f_blocks * os.statvfs(tmp_path).f_frsize
    assert room_at(Path("/proc/nothing")) is None
