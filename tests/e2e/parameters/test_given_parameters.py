"""Values of parameters for runs from the command line, resumed runs, and compiled modules."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.conftest import Dockercise
from tests.support.prefect import prefect_records

pytestmark = pytest.mark.docker

PIPELINE = """\
meta:
  parameters:
    image: busybox
    text: {default: none}
    fails: false
say:
  img: $IMAGE
  run: printf %s "$TEXT"
check:
  img: $IMAGE
  after: say
  run: if [ "$FAILS" = true ]; then exit 3; fi
"""

HOSTILE = "$(echo run); `echo run` '\"; exit 3 #\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of the pipeline."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "a.dockercise.yaml").write_text(PIPELINE)
    return folder


def test_values_are_data(dockercise_run: Dockercise, root: Path) -> None:
    """No part of a value is run by a shell, in trusted and in untrusted pipelines."""
    for trust in ([], ["--untrusted"]):
        said = dockercise_run("-C", root, "--param", f"text={HOSTILE}", *trust)

        value = _entry(said.summary, "say")["value"]
        assert (said.exit_status, value) == (0, HOSTILE.strip())


def test_a_resumed_run_keeps_its_values(dockercise_run: Dockercise, root: Path, prefect_api: str) -> None:
    """`--resume` takes the values that the run was given, unless others are given; Prefect shows them all."""
    failed = dockercise_run("-C", root, "--param", "text=hello", "--param", "fails=true")

    again = dockercise_run("-C", root, "--resume", "last")
    mended = dockercise_run("-C", root, "--resume", "last", "--param", "fails=false")

    flow_run = prefect_records.flow_run(prefect_api, str(mended.summary["flow_run_id"]))
    assert [run.exit_status for run in (failed, again, mended)] == [1, 1, 0]
    assert (again.stages["say"]["status"], mended.stages["say"]["status"]) == ("cached", "cached")
    shown = {name: flow_run.parameters[name] for name in ("image", "text", "fails")}
    assert shown == {"image": "busybox", "text": "hello", "fails": False}


def test_a_compiled_module_takes_values(
    dockercise_run: Dockercise, root: Path, environment: Mapping[str, str], tmp_path: Path
) -> None:
    """A module has real parameters: another text for a variable, and only the compiled image for a key."""
    module = root / "flow.py"
    compiling = [sys.executable, "-m", "dockercise_prefect", "compile", str(root), "-o", str(module)]
    subprocess.run(compiling, check=True, env=environment, cwd=root)

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(module), *options]
        return subprocess.run(command, check=False, env=environment, cwd=root, capture_output=True, text=True, timeout=600)

    passed, other = run("--param", "text=from a module"), run("--param", "image=alpine")

    record = max((tmp_path / "data/results/code").glob("2*"))
    assert passed.returncode == 0, passed.stderr
    assert json.loads((record / "say.json").read_text())["value"] == "from a module"
    assert other.returncode == 2
    assert "DK055 the parameter `image`: `alpine` is not one of its choices" in other.stderr
    assert "Traceback" not in other.stderr


def _entry(summary: Mapping[str, str], stage: str) -> dict[str, object]:
    """The object of a stage in the record of a run."""
    entry: dict[str, object] = json.loads((Path(summary["results"].removeprefix("file://")) / f"{stage}.json").read_text())
    return entry
