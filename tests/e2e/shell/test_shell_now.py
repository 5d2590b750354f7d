"""`dockercise shell STAGE` on the real engine: a shell in a stage as it would run now."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.errors import ExitStatus
from tests.e2e.conftest import Dockercise
from tests.support.shells import left_of, piped

pytestmark = pytest.mark.docker

PIPELINE = """\
meta: {name: shop, secrets: [PASSWORD], defaults: {img: busybox}}
fetch: {vol: code/src, run: 'cat /code/src/* > "$OUT/all"'}
build: {vol: fetch, cache: true, run: 'echo built; cp /fetch/all "$OUT/page"; chmod 751 "$OUT/page"'}
token: {run: echo of-the-token, noLog: true}
check:
  vol: [build, code]
  env: [build, token, PASSWORD]
  network: none
  run: grep "$1" /build/page
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of the pipeline."""
    root = tmp_path / "shop"
    (root / "src").mkdir(parents=True)
    (root / "shop.dockercise.yaml").write_text(PIPELINE)
    (root / "src/one").write_text("one\n")
    return root


LOOK = """\
echo "$BUILD:$TOKEN:$PASSWORD:$DOCKERCISE_STAGE"; cat /build/page /code/src/one; stat -c %a /build/page; ls /sys/class/net
cat "$DOCKERCISE_SCRIPT"; echo "run $DOCKERCISE_RUN_ID"
exit 7
"""


def test_a_shell_in_a_stage_that_never_ran(dockercise_run: Dockercise, environment: dict[str, str], root: Path) -> None:
    """It has volumes and values of earlier stages from the runs that the command names, and everything else as it is now."""
    given = ["check", "--env", "TOKEN=given", "--env", "PASSWORD=word-4711"]
    before = piped(environment, root, LOOK, *given)
    first = dockercise_run("-C", root, "build")
    reused = dockercise_run("-C", root, "build")
    dockercise_run("-C", root, "token")

    there = piped(environment, root, LOOK, *given)
    (root / "src/one").write_text("two\n")
    later = piped(environment, root, LOOK, *given)
    unset = piped(environment, root, LOOK, "check", "--env", "TOKEN=given")
    lost = piped(environment, root, LOOK, "check", "--env", "PASSWORD=word-4711")

    assert (before.stdout, before.returncode) == ("", ExitStatus.WRONG_INPUT)
    assert "check needs what build and token left, but build and token have passed in none of the newest runs" in before.stderr
    assert "`dockercise run build token`" in before.stderr
    seen, _, run_id = there.stdout.rpartition("run ")
    assert seen == 'built:given:word-4711:check\none\none\n751\nlo\ngrep "$1" /build/page'
    assert there.returncode == 7
    assert reused.stages["build"]["reused_from"] == first.summary["run_id"]
    assert f"build is that of {reused.summary['run_id']}\n" in there.stderr
    assert "check as it would run now; its script: sh -e /.dockercise/script" in there.stderr
    assert left_of(run_id.strip()) == []
    assert later.stdout.startswith("built:given:word-4711:check\none\ntwo\n")
    assert f"{reused.summary['run_id']}; since then, fetch changed: the folder src of the code changed\n" in later.stderr
    assert "check needs the variable `PASSWORD`, which is not set" in unset.stderr
    assert "TOKEN: the value of token, which is not in the record: token has `noLog: true`" in lost.stderr
    assert {unset.returncode, lost.returncode} == {ExitStatus.WRONG_INPUT}


def test_a_name_that_is_no_stage(environment: dict[str, str], root: Path) -> None:
    """A typo, and a run without a stage, are errors that say what to type."""
    typo = piped(environment, root, "echo no", "chekc")
    run = piped(environment, root, "echo no", "last")
    other = piped(environment, root, "echo no", "check", "--pipeline", "shop")

    assert "the pipeline has no stage `chekc`\n  hint: did you mean `check`?" in typo.stderr
    assert "for a stage of a recorded run: `dockercise shell last STAGE`" in run.stderr
    assert "--pipeline chooses a run, and there is no RUN before the stage" in other.stderr
    assert {typo.returncode, run.returncode, other.returncode} == {ExitStatus.WRONG_INPUT}
