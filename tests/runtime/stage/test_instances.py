"""What the containers of instances see, and what containers see of instances, on the real engine."""

from __future__ import annotations

import pytest

from dockercise_prefect.archives.tarball import members
from dockercise_prefect.pipeline import Stage, instance, values_of
from dockercise_prefect.runtime.docker.engine import DockerEngine
from tests.runtime.workspaces import run_all, sh

pytestmark = pytest.mark.docker


def _instance(of: str, version: str, run: str, **more: object) -> Stage:
    which = instance(of, PYTHON=version, DB="pg")
    return sh(which.name, run, instance=which, env={"PYTHON": version}, **more)


WRITE = 'echo "$PYTHON"; echo "$OUT $DOCKERCISE_STAGE" > f; ln f g; chmod 700 .'
BOTH = [_instance("test", version, WRITE, working_dir="/test", user=user) for version, user in (("3.10", None), ("3.11", "7"))]


def test_consumers_of_all(docker_engine: DockerEngine, run_id: str) -> None:
    """A stage that takes all instances finds their volumes and outputs in folders, and their values as lines."""
    reader = sh(
        "reader",
        'cat /test/*/f; cd /out/test; grep . *; echo "$TEST"',
        env={"TEST": values_of(*BOTH)},
        volumes=[one.volume for one in BOTH],
    )

    ran = run_all(docker_engine, *BOTH, reader, run_id=run_id)

    assert ran.printed("reader").decode().splitlines() == [
        "/test test(3.10,pg)",
        "/test test(3.11,pg)",
        "3.10,pg:3.10",
        "3.11,pg:3.11",
        "3.10",
        "3.11",
    ]


def test_counterparts(docker_engine: DockerEngine, run_id: str) -> None:
    """An instance finds its counterpart where a stage without instances would be, also at the same time as another one."""
    readers = [
        _instance("check", version, "cat f /test/f /out/test", on=one, volumes=[one.volume.at("/test")], reads=[one])
        for version, one in zip(("3.10", "3.11"), BOTH, strict=True)
    ]

    ran = run_all(docker_engine, *BOTH, *readers, run_id=run_id)

    for version in ("3.10", "3.11"):
        left = f"/test test({version},pg)"
        assert ran.printed(f"check({version},pg)").decode().splitlines() == [left, left, version]


def test_what_an_instance_leaves(docker_engine: DockerEngine, run_id: str) -> None:
    """What an instance leaves in its volume is handed on below its own name, with its hard links."""
    (one, _) = BOTH

    ran = run_all(docker_engine, one, run_id=run_id)

    found = {member.name: (member.linkname, member.mode & 0o7777) for member, _ in members([ran.volumes[one.name] or b""])}
    assert found == {
        "test(3.10,pg)": ("", 0o700),
        "test(3.10,pg)/f": ("", 0o644),
        "test(3.10,pg)/g": ("test(3.10,pg)/f", 0o644),
    }
