"""Commands that read records, on the records of real runs and real engines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dockercise_prefect.status import StageStatus
from scripts.engine import ensure_engine
from tests.e2e.conftest import Dockercise
from tests.support.recorded_runs import Recorded, ran

pytestmark = pytest.mark.docker

COMMAND = [sys.executable, "-m", "dockercise_prefect"]

LEAVE = """
cd /greet
mkdir -m 750 closed
echo hello >closed/letter
touch -d '2001-09-09 01:46:40' closed/letter
chown 1234:4321 closed/letter
chmod 4750 closed/letter
ln closed/letter again
ln -s closed/letter to
mkfifo pipe
name=$(printf '%0200d' 0)
mkdir "$name"
echo deep >"$name/$name"
head -c 3000000 /dev/zero >zeros
chmod 500 closed
"""


@pytest.fixture
def said(environment: dict[str, str]) -> Any:
    """The output of a command, for records in the test's folder."""

    def run(*arguments: str | Path) -> str:
        return subprocess.run(
            [*COMMAND, *map(str, arguments)], check=True, capture_output=True, text=True, env=environment
        ).stdout

    return run


def test_a_run_is_seen_by_every_command(dockercise_run: Dockercise, said: Any, tmp_path: Path) -> None:
    """`runs`, `show` and `logs` show the same as `run` did."""
    root = tmp_path / "shop"
    root.mkdir()
    (root / "a.dockercise.yaml").write_text(
        "greet: {img: busybox, run: echo hello}\n"
        "check: {img: busybox, vol: greet, run: 'echo no match >&2; exit 3'}\n"
        "hush: {img: busybox, noLog: true, run: echo secret}\n"
    )
    summary = dockercise_run("-C", root).summary

    (listed,) = json.loads(said("runs", "-C", root, "--json"))
    shown = json.loads(said("show", summary["run_id"][:12], "--json"))

    assert listed["results"] == summary["results"]
    assert (listed["status"], listed["reasons"]) == ("failed", ["check (exit code 3)"])
    assert {key: shown[key] for key in summary if key != "stages"} == {key: summary[key] for key in summary if key != "stages"}
    assert shown["stages"]["check"] == {**summary["stages"]["check"], "needs": ["greet"]}
    assert shown["critical_path"] in (["greet", "check"], ["hush"])
    assert said("logs", "last", "check") == "no match\n"
    assert said("logs", "last") == "greet │ hello\ncheck │ no match\n"


def test_a_run_is_followed_while_it_goes_on(environment: dict[str, str], busybox: str, said: Any, tmp_path: Path) -> None:
    """`logs -f` starts in the middle of a run, shows everything that each stage prints, and ends with the run."""
    root = tmp_path / "shop"
    root.mkdir()
    count = "for i in 1 2 3; do echo $i; sleep 0.3; done"
    (root / "a.dockercise.yaml").write_text(
        f"one: {{img: busybox, run: {count}}}\ntwo: {{img: busybox, after: one, run: 'printf end'}}\n"
    )
    with subprocess.Popen([*COMMAND, "run", "--quiet", "-C", root], env=environment) as run:
        while run.poll() is None and not json.loads(said("runs", "--json")):
            continue
        followed = said("logs", "last", "-f")

    assert run.returncode == 0
    assert followed == "one │ 1\none │ 2\none │ 3\ntwo │ end\n"


@pytest.fixture
def archive(busybox: str) -> Iterator[Iterator[bytes]]:
    """A volume as an engine packs it."""
    with closing(ensure_engine()) as client:
        container = client.create_container(busybox, ["sh", "-c", LEAVE], volumes=["/greet"], labels={"dockercise.test": "1"})[
            "Id"
        ]
        try:
            client.start(container)
            assert client.wait(container)["StatusCode"] == 0, client.logs(container)
            yield client.get_archive(container, "/greet")[0]
        finally:
            client.remove_container(container, v=True, force=True)


def test_a_volume_of_an_engine_comes_back(archive: Iterator[bytes], said: Any, tmp_path: Path) -> None:
    """A volume is the same after a container, a store and `fetch`, with names of any length."""
    run = Recorded(tmp_path / "data/results")
    run.store.keep_volume("greet", archive)
    run.stage("greet", ran(StageStatus.PASSED, 0, 1))

    said("fetch", "last", "greet", tmp_path / "out")

    out, long = tmp_path / "out", "0" * 200
    letter = (out / "closed/letter").stat()
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*")) == sorted(
        ["again", "closed", "closed/letter", "to", long, f"{long}/{long}", "zeros"]
    )
    assert ((out / "closed/letter").read_text(), letter.st_mtime) == ("hello\n", 1_000_000_000)
    assert (out / "again").samefile(out / "closed/letter")
    assert (out / "to").readlink() == Path("closed/letter")
    assert (out / "closed").stat().st_mode & 0o7777 == 0o500
    assert (out / "zeros").read_bytes() == bytes(3_000_000)
    if os.geteuid() == 0:
        assert (letter.st_uid, letter.st_gid, letter.st_mode & 0o7777) == (1234, 4321, 0o4750)
    else:
        assert letter.st_mode & 0o7777 == 0o750
