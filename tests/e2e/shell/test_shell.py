"""`dockercise shell` on the real engine: a shell in a stage of a recorded run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from prefect.blocks.system import Secret

from dockercise_prefect.errors import ExitStatus
from tests.e2e.conftest import Dockercise
from tests.support.aws.moto import FOLDER_KEY_ID, FOLDER_SECRET, REGION, running_aws
from tests.support.inspection import InspectionRecorder
from tests.support.shells import left_of, piped

pytestmark = pytest.mark.docker

SECRET = "p'a ss\nword-4711"

PIPELINE = """\
meta: {name: shop, secrets: [token], defaults: {img: busybox}}
build: {run: 'printf "made\\n"; mkdir "$OUT/site"; echo page > "$OUT/site/page"; chmod 751 "$OUT/site"'}
token: {run: 'printf %s "$PASSWORD"', env: PASSWORD, noLog: true}
check:
  on: build
  vol: [build, code]
  env: [PASSWORD, 'GREETING=hi', 'BUILT={stage: build}']
  after: build
  user: "1000:1000"
  network: none
  memory: 64m
  run: |
    echo checking
    grep nothing /build/site/page
early: {env: token, run: 'exit 2'}
""".replace("'BUILT={stage: build}'", "build")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of the pipeline."""
    root = tmp_path / "shop"
    root.mkdir()
    (root / "shop.dockercise.yaml").write_text(PIPELINE)
    (root / "notes").write_text("of the code\n")
    return root


@pytest.fixture
def failed(dockercise_run: Dockercise, root: Path) -> dict[str, object]:
    """The summary of a run whose stages `check` and `early` failed."""
    said = dockercise_run("-C", root, PASSWORD=SECRET)
    assert said.exit_status == ExitStatus.STAGE_FAILED
    assert said.stages["check"]["exit_code"] == 1
    return said.summary


LOOK = """\
pwd; id -u; echo "$GREETING:$PASSWORD:$BUILD:$DOCKERCISE_RUN_ID:$DOCKERCISE_STAGE:$OUT"
cat /out/build /build/site/page /code/notes site/page; stat -c %a site; ls /out; ls /sys/class/net
cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max
touch /build/no 2>/dev/null || echo sealed
cat /.dockercise/variables
exit 7
"""


def test_a_shell_sees_what_the_stage_saw(environment: dict[str, str], failed: dict[str, object], root: Path) -> None:
    """Variables, volumes, `/out`, user, folder, network and limits are the stage's, and the exit status is the shell's."""
    with InspectionRecorder() as recorder:
        done = piped(environment, root, LOOK, "last", "check", PASSWORD=SECRET)

    identity = f"hi:{SECRET}:made:{failed['run_id']}:check:/check"
    seen = f"/check\n1000\n{identity}\nmade\npage\nof the code\npage\n751\nbuild\nlo\n67108864\nsealed\n"
    assert (done.stdout, done.returncode) == (seen, 7)
    assert f"check of {failed['run_id']}; its script: sh -e /.dockercise/script" in done.stderr
    assert "word-4711" not in recorder.text
    assert left_of(failed["run_id"]) == []


def test_a_script_is_run_as_the_stage_runs_it(environment: dict[str, str], failed: dict[str, object], root: Path) -> None:
    """The script, run in the shell, does what it did in the run, and a script that was repaired passes."""
    again = piped(environment, root, 'sh -e "$DOCKERCISE_SCRIPT"', "last", "check", "--env", f"PASSWORD={SECRET}")
    repaired = piped(environment, root, 'sed s/nothing/page/ "$DOCKERCISE_SCRIPT" | sh -e', "last", "check", PASSWORD=SECRET)

    assert (again.stdout, again.returncode) == ("checking\n", 1)
    assert (repaired.stdout, repaired.returncode) == ("checking\npage\n", 0)


def test_what_cannot_be_found_is_refused(environment: dict[str, str], failed: dict[str, object], root: Path) -> None:
    """A variable that is set nowhere, and the value of a `noLog` stage, are errors that say how to pass them."""
    unset = piped(environment, root, "echo no", "last", "check")
    lost = piped(environment, root, "echo no", "last", "early")
    passed = piped(environment, root, 'echo "$TOKEN"', "last", "early", "--env", "TOKEN=given")

    assert (unset.stdout, unset.returncode) == ("", ExitStatus.WRONG_INPUT)
    assert "check needs the variable `PASSWORD`, which is not set" in unset.stderr
    assert "pass `--env PASSWORD=…`" in unset.stderr
    assert (lost.stdout, lost.returncode) == ("", ExitStatus.WRONG_INPUT)
    assert "  TOKEN: the value of token, which is not in the record: token has `noLog: true`" in lost.stderr
    assert "pass --env TOKEN=…" in lost.stderr
    assert (passed.stdout, passed.returncode) == ("given\n", 0)
    assert left_of(failed["run_id"]) == []


def test_a_secret_block(dockercise_run: Dockercise, environment: dict[str, str], root: Path) -> None:
    """A variable that is set nowhere else comes from its Secret block. Prefect is asked for no other variable."""
    cast("Any", Secret)(value="of-a-block").save("of-the-shell", overwrite=True, _sync=True)
    (root / "shop.dockercise.yaml").write_text("check: {img: busybox, env: OF_THE_SHELL, run: exit 1}\n")
    dockercise_run("-C", root)
    gone = {"PREFECT_API_URL": "http://127.0.0.1:9/api"}

    of_block = piped(environment, root, 'echo "$OF_THE_SHELL"', "last", "check")
    of_user = piped(environment, root, 'echo "$OF_THE_SHELL"', "last", "check", OF_THE_SHELL="of-the-user", **gone)
    nobody = piped(environment, root, 'echo "$OF_THE_SHELL"', "last", "check", **gone)

    assert of_block.stdout == "of-a-block\n"
    assert of_user.stdout == "of-the-user\n"
    assert (nobody.stdout, nobody.returncode) == ("", ExitStatus.ENGINE_FAILED)
    assert nobody.stderr.startswith("Prefect failed: ")


def test_a_run_of_a_bucket_on_another_machine(
    dockercise_run: Dockercise, environment: dict[str, str], root: Path, tmp_path: Path
) -> None:
    """With an empty data folder, the shell has everything from the bucket, and fetches nothing that it does not need."""
    with running_aws() as aws:
        place = aws.bucket("results-of-mine")
        there = {
            "AWS_ENDPOINT_URL": aws.url,
            "AWS_ACCESS_KEY_ID": FOLDER_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": FOLDER_SECRET,
            "AWS_REGION": REGION,
        }
        ran = dockercise_run("-C", root, "--results", place, PASSWORD=SECRET, **there)
        client = aws.client("s3")
        for name in ("check.tar.zst", "check.log", "out.zip", "report.html"):  # a shell does not need them
            client.delete_object(Bucket="results-of-mine", Key=f"shop/{ran.summary['run_id']}/{name}")
        empty = there | {"DOCKERCISE_DATA": str(tmp_path / "empty"), "PASSWORD": SECRET}
        (root / "notes").write_text("changed\n")
        done = piped(environment, root, LOOK, "last", "check", "--results", place, **empty)

    assert done.returncode == 7, done.stderr
    assert done.stdout.splitlines()[-9:-3] == ["made", "page", "changed", "page", "751", "build"]
    assert "the record does not say which commit it was" in done.stderr
    assert "the code differs from that of the run" in done.stderr
    assert left_of(ran.summary["run_id"]) == []
