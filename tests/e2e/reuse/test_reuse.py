"""Stages that are reused, on the real engine, in a user's shell."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from dockercise_prefect.runtime.docker.connection import connect
from scripts.environment import ROOT
from tests.e2e.conftest import Dockercise
from tests.engines.scripted import BUSYBOX
from tests.engines.second_engine import second_engine
from tests.support.aws.moto import FOLDER_KEY_ID, FOLDER_SECRET, REGION, Aws, running_aws
from tests.support.engine_events import started_stages
from tests.support.shells import left_of, piped

pytestmark = pytest.mark.docker


def test_hello_starts_no_container_the_second_time(dockercise_run: Dockercise, tmp_path: Path) -> None:
    """With `cache` in its defaults, the second run of `flows/hello` reuses every stage, and the engine starts nothing."""
    root = tmp_path / f"hello-{tmp_path.name.replace('_', '-')}"
    shutil.copytree(ROOT / "flows/hello", root)
    (file,) = root.glob("*.dockercise.yaml")
    file.write_text(file.read_text().replace("    img: busybox:latest", "    cache: true\n    img: busybox:latest"))

    with started_stages(root.name, tmp_path / "events") as started:
        first = dockercise_run("-C", root)
        after_first = started()
        second = dockercise_run("-C", root)
        after_second = started()

    assert sorted(filter(None, after_first)) == sorted(first.stages)  # the containers of networks have no stage
    assert after_second == after_first
    assert {stage["status"] for stage in second.stages.values()} == {"cached"}
    assert {stage["reused_from"] for stage in second.stages.values()} == {first.summary["run_id"]}
    assert second.exit_status == 0


def test_the_root_of_a_volume_comes_back(dockercise_run: Dockercise, tmp_path: Path) -> None:
    """Who mounts the volume of a reused stage sees the mode of its root, also if there is nothing in it.

    This holds too if nobody mounted it in the run that it comes from.
    """
    root = tmp_path / "modes"
    root.mkdir()
    (root / "modes.dockercise.yaml").write_text(
        "meta: {defaults: {img: busybox}}\n"
        'closed: {cache: true, run: chmod 700 "$OUT"}\n'
        'mine: {cache: true, user: "1000:1000", run: "true"}\n'
        'none: {cache: true, run: "true"}\n'
        "look: {vol: [closed, mine, none], run: 'stat -c \"%n %a %u\" /closed /mine /none'}\n"
    )

    alone = dockercise_run("-C", root, "closed", "mine", "none")
    reused = dockercise_run("-C", root)
    fresh = dockercise_run("-C", root, "--no-cache")

    assert "look" not in alone.stages
    assert [stage["status"] for stage in reused.stages.values()].count("cached") == 3
    for ran in (reused, fresh):
        for line in ("/closed 700 0\n", "/mine 1777 0\n", "/none 755 0\n"):
            assert line in ran.stderr


def test_a_stage_that_is_not_the_same_each_time_is_found(dockercise_run: Dockercise, tmp_path: Path) -> None:
    """With the setting, the run says what docs/reuse.md shows, and the next one says why the stage runs again."""
    page = (ROOT / "docs/reuse.md").read_text()
    root = tmp_path / "stamp"
    root.mkdir()
    (root / "stamp.dockercise.yaml").write_text(
        "stamp: {cache: true, img: busybox, run: cat /proc/sys/kernel/random/uuid}\n"
        'same: {cache: true, img: busybox, run: "echo same; echo same > $OUT/file"}\n'
    )
    first = dockercise_run("-C", root)

    audited = dockercise_run("-C", root, DOCKERCISE_CACHE_AUDIT="1")
    later = dockercise_run("-C", root)

    (said,) = re.findall(r"stamp left something else than in .*\n", audited.stderr)
    assert said.replace(first.summary["run_id"], "20261130T091022Z-4212") in page
    assert "same left" not in audited.stderr
    assert audited.stages["same"]["audit"] == {"run_id": first.summary["run_id"], "difference": None}
    (why,) = re.findall(r"stamp is not reused: .*\n", later.stderr)
    assert why.replace(audited.summary["run_id"], "20261201T020000Z-91c3") in page
    assert later.stages["same"]["reused_from"] == audited.summary["run_id"]


def test_the_page_shows_what_is_seen(dockercise_run: Dockercise, environment: dict[str, str], tmp_path: Path) -> None:
    """The example of docs/reuse.md: after a change of the folder, the run, `plan` and `explain` say what the page shows."""
    page = (ROOT / "docs/reuse.md").read_text()
    root = tmp_path / "shop"
    (root / "src").mkdir(parents=True)
    file = root / "shop.dockercise.yaml"
    file.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    (root / "src/one").write_text("b\na\n")
    first = dockercise_run("-C", root)
    second = dockercise_run("-C", root)
    (root / "src/two").write_text("c\n")

    third = dockercise_run("-C", root)
    (root / "src/three").write_text("d\n")
    planned = printed(environment, root, "plan")
    file.write_text(file.read_text().replace("run: test -s", "run: sleep 0; test -s"))
    (root / "src/three").unlink()
    explained = printed(environment, root, "explain", "test", "--since", first.summary["run_id"])

    reused = f"  = build            reused from {first.summary['run_id']}\n"
    assert reused in second.stderr
    assert re.sub(r"from \S+", "from 20261130T091022Z-4212", reused) in page
    for line in (
        "build is not reused: file src/two of the code is new\n",
        "test is not reused: file sorted of the volume of build changed\n",
        "test   │ 3 lines\n",
    ):
        assert line in third.stderr
        assert line in page
    assert f"$ dockercise plan\n{planned}```" in page
    assert explained.replace(first.summary["run_id"], "20261130T091022Z-4212") in page
    assert printed(environment, root, "explain", "build", "--since", third.summary["run_id"]) == (
        f"nothing differs: build would be taken from {third.summary['run_id']}\n"
    )


def printed(environment: dict[str, str], root: Path, *arguments: str) -> str:
    """What a command that only reads prints for the pipeline in a folder."""
    command = [sys.executable, "-m", "dockercise_prefect", *arguments, "-C", str(root)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


SHOP = f"""\
meta: {{name: shop, defaults: {{img: '{BUSYBOX}'}}}}
build:
  cache: true
  run: |
    cd "$OUT"; mkdir -p site/deep; echo text > site/page; ln site/page same; ln -s site/page link; chmod 4755 site/page
    date +%N; head -c 3000000 /dev/urandom > big; chown 1000:100 site/deep
check:
  vol: build
  env: build
  run: cd /build; echo "$BUILD"; cat /out/build; sha256sum big site/page same; ls -ln . site; readlink link
"""


PLACE = ("--results", "s3://results-of-mine/ci")


def access_to_bucket(aws: Aws) -> dict[str, str]:
    """Make the bucket, and return the variables that open it."""
    aws.bucket("results-of-mine")
    return {
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_ACCESS_KEY_ID": FOLDER_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": FOLDER_SECRET,
        "AWS_REGION": REGION,
    }


def test_two_machines_share_what_is_in_a_bucket(dockercise_run: Dockercise, tmp_path: Path, engine_folder: Path) -> None:
    """Another engine with an empty data folder reuses what is in the bucket, and the next stage sees the same bytes."""
    root = tmp_path / "shop"
    root.mkdir()
    (root / "shop.dockercise.yaml").write_text(SHOP)
    with running_aws() as aws, closing(connect()[0]) as here, second_engine(BUSYBOX, here, engine_folder) as other:
        access = access_to_bucket(aws)
        first = dockercise_run("-C", root, *PLACE, **access)
        there = {"DOCKER_HOST": other.url, "DOCKERCISE_DATA": str(tmp_path / "empty")}

        second = dockercise_run("-C", root, *PLACE, **access, **there)

        objects = aws.objects("results-of-mine")
    printed = [objects[f"ci/shop/{said.summary['run_id']}/check.out"] for said in (first, second)]
    assert (second.stages["build"]["status"], second.stages["build"]["reused_from"]) == ("cached", first.summary["run_id"])
    assert second.stages["check"]["status"] == "passed"
    assert printed[0] == printed[1]
    assert b"site/page" in printed[0]


def test_a_shell_sees_what_reused_stages_left(dockercise_run: Dockercise, environment: dict[str, str], tmp_path: Path) -> None:
    """`dockercise shell` opens in a stage after a reused one, and in a reused one, as if they had run."""
    root = tmp_path / "shop"
    root.mkdir()
    (root / "shop.dockercise.yaml").write_text(SHOP + "sum: {on: build, run: sha256sum big, cache: true}\n")
    first = dockercise_run("-C", root)
    second = dockercise_run("-C", root)
    run_id = second.summary["run_id"]
    assert second.stages["sum"]["reused_from"] == first.summary["run_id"]

    after = piped(environment, root, 'sha256sum /build/big; echo "$BUILD"; cat /out/build; exit 3\n', run_id, "check")
    inside = piped(environment, root, "cat site/page; sha256sum big\n", run_id, "sum")

    printed = (Path(second.summary["results"].removeprefix("file://")) / "check.out").read_text().split()
    assert after.returncode == 3, after.stderr
    assert after.stdout.split()[2:] == [printed[0]] * 2
    assert after.stdout.split()[0] in printed
    assert inside.stdout.split()[:2] == ["text", after.stdout.split()[0]], inside.stderr
    assert left_of(run_id) == []


RESUMED = f"""\
meta: {{name: shop, defaults: {{img: '{BUSYBOX}'}}}}
big: {{run: 'head -c 30000000 /dev/urandom > $OUT/big; sha256sum $OUT/big | cut -c 1-64'}}
other: {{run: 'echo not needed; echo x > $OUT/x'}}
count: {{env: big, vol: big, run: 'wc -c < /big/big'}}
fails: {{env: [big, count], vol: big, after: other, run: 'sha256sum /big/big; echo "$BIG $COUNT"; test -e /nowhere'}}
"""


def test_a_failed_run_is_taken_home(
    dockercise_run: Dockercise, environment: dict[str, str], tmp_path: Path, engine_folder: Path
) -> None:
    """A run that failed in a bucket is resumed on another engine with an empty data folder, and a shell opens in its stage."""
    root = tmp_path / "shop"
    root.mkdir()
    file = root / "shop.dockercise.yaml"
    file.write_text(RESUMED)
    with running_aws() as aws, closing(connect()[0]) as here, second_engine(BUSYBOX, here, engine_folder) as other:
        access = access_to_bucket(aws)
        failed = dockercise_run("-C", root, *PLACE, **access)
        run_id = failed.summary["run_id"]
        there = {**access, "DOCKER_HOST": other.url, "DOCKERCISE_DATA": str(tmp_path / "empty")}

        script = 'sh -e "$DOCKERCISE_SCRIPT" </dev/null; echo "status $?"\n'
        shell = piped(environment, root, script, run_id, "fails", *PLACE, **there)
        file.write_text(RESUMED.replace("test -e /nowhere", "true"))
        resumed = dockercise_run("-C", root, *PLACE, "--resume", run_id, **there)

        output = aws.objects("results-of-mine")[f"ci/shop/{resumed.summary['run_id']}/fails.out"].decode().split()
    assert f"to resume: dockercise run -C {root} --resume {run_id}\n" in failed.stderr
    assert shell.returncode == 0, shell.stderr
    assert shell.stdout.split() == [*output, "status", "1"]  # it fails there as it did in the run
    assert {name: stage["reused_from"] for name, stage in resumed.stages.items()} == {
        "big": run_id,
        "other": run_id,
        "count": run_id,
        "fails": None,
    }
    assert output[0] == output[2]
    assert output[3] == "30000000"
    assert resumed.exit_status == 0
