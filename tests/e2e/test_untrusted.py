"""A stranger's pipeline on the real engine: its limits work, and it gets nothing that it was not given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest
from prefect.blocks.system import Secret

from dockercise_prefect.errors import ExitStatus
from tests.e2e.conftest import Dockercise
from tests.support.hosts.git_repository import git, make_repository
from tests.support.inspection import STAGE_LABEL, InspectionRecorder

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

LIMITS = {
    "DOCKERCISE_UNTRUSTED": "true",
    "DOCKERCISE_UNTRUSTED_CPUS": "0.75",
    "DOCKERCISE_UNTRUSTED_MEMORY": "48m",
    "DOCKERCISE_UNTRUSTED_TIMEOUT": "3s",
}

OWN = {"AWS_SECRET_ACCESS_KEY": "key-of-the-user", "GIVEN": "given-by-flag"}


def write(folder: Path, text: str) -> Path:
    """Create a repository with one file."""
    folder.mkdir()
    (folder / "p.dockercise.yaml").write_text(text)
    return folder


def test_limits_hold(dockercise_run: Dockercise, tmp_path: Path) -> None:
    """The engine and the kernel enforce the limits; too much memory or too much time ends a stage."""
    limit = "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes"
    root = write(
        tmp_path / "strange",
        f"limit: {{img: busybox, run: '{limit}'}}\n"
        f"lower: {{img: busybox, memory: 16m, cpus: 0.25, run: '{limit}'}}\n"
        "greedy: {img: busybox, run: tail /dev/zero}\n"
        "slow: {img: busybox, run: sleep 600}\n",
    )

    with InspectionRecorder() as recorder:
        said = dockercise_run("-C", root, **LIMITS)

    limits = {
        inspected["Config"]["Labels"][STAGE_LABEL]: tuple(inspected["HostConfig"][key] for key in ("NanoCpus", "Memory"))
        for inspected in recorder.containers("strange")
    }
    assert said.exit_status == ExitStatus.STAGE_FAILED
    assert {name: stage["status"] for name, stage in said.stages.items()} == {
        "limit": "passed",
        "lower": "passed",
        "greedy": "failed",
        "slow": "timed_out",
    }
    assert f"limit  │ {48 << 20}" in said.stderr
    assert f"lower  │ {16 << 20}" in said.stderr
    # the engine does not always learn the reason from the kernel
    assert re.match(r"(out of memory|killed) \(exit code 137\)", said.stages["greedy"]["message"])
    assert limits["limit"] == (750_000_000, 48 << 20)
    assert limits["lower"] == (250_000_000, 16 << 20)


def test_what_it_prints_and_reaches_is_limited(dockercise_run: Dockercise, tmp_path: Path) -> None:
    """Processes, output, volume and network are limited: the first stage sees its limits, and two exceed theirs."""
    root = write(
        tmp_path / "strange",
        "look: {img: busybox, run: 'ip route get 169.254.169.254 || ip route get 203.0.113.7'}\n"
        "loud: {img: busybox, run: 'yes | head -c 3000000'}\n"
        "large: {img: busybox, run: 'head -c 3000000 /dev/zero >$OUT/f'}\n",
    )
    limits = {"DOCKERCISE_UNTRUSTED_OUTPUT": "2m", "DOCKERCISE_UNTRUSTED_VOLUME": "2m", "DOCKERCISE_UNTRUSTED_PIDS": "99"}

    with InspectionRecorder() as recorder:
        said = dockercise_run("--untrusted", "-C", root, **limits)

    pids = {inspected["HostConfig"]["PidsLimit"] for inspected in recorder.containers("strange")}
    assert said.exit_status == ExitStatus.ENGINE_FAILED, said.stderr
    assert {name: stage["status"] for name, stage in said.stages.items()} == {
        "look": "passed",
        "loud": "failed",
        "large": "passed",
    }
    assert "203.0.113.7 via" in said.stderr
    assert said.stages["loud"]["message"].startswith("it printed more than the limit of 2m (DOCKERCISE_UNTRUSTED_OUTPUT)")
    assert "the volume of large is not in the results: it is larger than the limit of 2m" in said.stderr
    assert pids == {99}


def test_what_was_not_given_is_nowhere(dockercise_run: Dockercise, tmp_path: Path) -> None:
    """A stage that requests many variables gets only the ones that the user named, and no key and no block."""
    cast("Any", Secret)(value="secret-of-a-block").save("strangers-block", overwrite=True, _sync=True)
    root = write(
        tmp_path / "strange",
        "asks:\n"
        "  img: busybox\n"
        "  env: [GIVEN, 'AWS_SECRET_ACCESS_KEY?', 'STRANGERS_BLOCK?', 'PREFECT_API_URL?', 'HOME?']\n"
        "  run: env; echo the end\n",
    )

    said = dockercise_run("--untrusted", "-C", root, "--env", "GIVEN", **OWN)

    assert said.exit_status == ExitStatus.DONE, said.stderr
    assert "GIVEN=given-by-flag" in said.stderr
    assert "the end" in said.stderr
    for absent in ("key-of-the-user", "secret-of-a-block", "AWS_SECRET", "PREFECT_API_URL"):
        assert absent not in said.stderr


def test_a_refusal_leaves_no_trace(dockercise_run: Dockercise, tmp_path: Path) -> None:
    """No container is made, and no record is started: the summary has no flow run and no results."""
    root = write(tmp_path / "refused", "a: {img: busybox, run: 'touch /host/here', vol: './:/host'}\nb: {build: .}\n")

    with InspectionRecorder() as recorder:
        said = dockercise_run("--untrusted", "-C", root)

    assert said.exit_status == ExitStatus.WRONG_INPUT
    assert recorder.containers("refused") == []
    assert not (root / "here").exists()


def test_a_repositorys_settings_start_nothing(dockercise_run: Dockercise, tmp_path: Path) -> None:
    """A run starts neither a monitor nor a filter of git that the repository's settings name."""
    root = make_repository(
        tmp_path / "strange",
        {"p.dockercise.yaml": "a: {img: busybox, vol: code, run: cat code/f}\n", "f": "1", ".gitattributes": "f filter=x"},
    )
    sign = tmp_path / "started"
    (root / "monitor").write_text(f"#!/bin/sh\ntouch '{sign}'\n")
    (root / "monitor").chmod(0o755)
    git(root, "config", "filter.x.clean", f"touch '{sign}'; cat")
    git(root, "config", "core.fsmonitor", str(root / "monitor"))
    (root / "f").write_text("2")

    said = dockercise_run("--untrusted", "-C", root)

    assert said.exit_status == ExitStatus.DONE, said.stderr
    assert "a │ 2" in said.stderr
    assert not sign.exists()
