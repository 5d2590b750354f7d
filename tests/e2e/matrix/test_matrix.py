"""Stages with `matrix`, on a real engine with a real Prefect server; the pipelines are those of the page on it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.conftest import Dockercise
from tests.support.command import Command
from tests.support.prefect import prefect_records
from tests.test_user_pages import blocks

pytestmark = pytest.mark.docker

PAGE = (Path(__file__).resolve().parents[3] / "docs/matrix.md").read_text()
FAILING, _, PAIRED = (pipeline.replace("python:$PYTHON-slim", "busybox") for pipeline in blocks(PAGE, "yaml"))
SHOWN = blocks(PAGE, "console")[1]

EVERYTHING = """\
test:
  matrix:
    python: [3.10, 3.11, 3.12]
    db: [pg, mysql]
    exclude: [{python: 3.10, db: mysql}]
    include: [{python: 3.13, db: pg}, {python: 3.12, flags: -v}]
  img: busybox
  dir: /test
  run: echo "$PYTHON $DB${FLAGS:-}" | tee version; echo more >&2

report:
  img: busybox
  vol: test(3.13,pg):/newest
  run: cd /out/test; cat /newest/version /test/*/version; ls; echo "$TEST"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    return folder


def _masked(text: str) -> list[str]:
    """The lines without times and ids, which differ from run to run."""
    text = re.sub(r"\d{8}T\d{6}Z-[0-9a-f]{4}", "RUN", text)
    return re.sub(r"\d+\.\d s|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text).splitlines()


def test_one_fails_among_passing(dockercise_run: Dockercise, command: Command, root: Path, prefect_api: str) -> None:
    """The other instances pass, the stage after all of them does not start, and everything has the names of the instances."""
    (root / "p.dockercise.yaml").write_text(FAILING)

    said = dockercise_run("-C", root)
    shown = command("show", said.summary["run_id"], "--results", str(root.parent / "data/results"))

    assert said.exit_status == 1
    statuses = {name: stage["status"] for name, stage in said.stages.items()}
    assert [name for name, status in statuses.items() if status != "passed"] == ["test(3.12,mysql)", "report"]
    assert statuses["test(3.12,mysql)"] == "failed"
    assert said.stages["report"]["because"] == "test(3.12,mysql)"
    assert said.stages["test(3.12,mysql)"]["instance"] == {"of": "test", "key": "3.12,mysql"}
    assert _masked(SHOWN)[2:] == [line for line in _masked(shown.out) if line.startswith("  ")]
    runs = prefect_records.task_runs(prefect_api, said.summary["flow_run_id"], 7)
    assert runs.keys() == statuses.keys()


def test_combinations_and_all_that_consumers_see(dockercise_run: Dockercise, root: Path) -> None:
    """Excluded combinations do not run, included ones do; a stage sees all volumes, outputs and values in order."""
    (root / "p.dockercise.yaml").write_text(EVERYTHING)

    said = dockercise_run("-C", root)

    assert said.exit_status == 0, said.stderr
    (results,) = filter(Path.is_dir, (root.parent / "data/results/shop").iterdir())
    instances = ["3.10 pg", "3.11 pg", "3.11 mysql", "3.12 pg-v", "3.12 mysql-v", "3.13 pg"]
    keys = sorted(one.removesuffix("-v").replace(" ", ",") for one in instances)
    assert (results / "report.out").read_text().splitlines() == ["3.13 pg", *_by_key(instances), *keys, *instances]
    assert (results / "test(3.12,pg).log").read_text().count("\n") == 2


def _by_key(instances: list[str]) -> list[str]:
    return sorted(instances, key=lambda one: one.removesuffix("-v").replace(" ", ","))


def test_counterparts(dockercise_run: Dockercise, root: Path) -> None:
    """A stage with the same variables comes after its counterpart alone, which it finds where a stage without a matrix is."""
    (root / "p.dockercise.yaml").write_text(PAIRED)

    said = dockercise_run("-C", root)

    assert said.exit_status == 0, said.stderr
    (results,) = filter(Path.is_dir, (root.parent / "data/results/shop").iterdir())
    for os in ("alpine", "debian"):
        for user in ("0", "1000"):
            assert (results / f"check({os},{user}).out").read_text() == f"for {os}\nfor {os}\n"
    assert (results / "publish.out").read_text() == "for alpine\nfor debian\n"


def test_one_instance_alone(dockercise_run: Dockercise, root: Path) -> None:
    """An instance is a target: it and its counterparts run, and no other instance."""
    (root / "p.dockercise.yaml").write_text(PAIRED)

    said = dockercise_run("check(debian,0)", "-C", root)

    assert said.exit_status == 0, said.stderr
    assert list(said.stages) == ["build(debian)", "check(debian,0)"]


def test_a_resumed_run_runs_only_the_instance_that_failed(dockercise_run: Dockercise, root: Path) -> None:
    """Each instance is reused for itself."""
    (root / "p.dockercise.yaml").write_text(FAILING)
    first = dockercise_run("-C", root)

    second = dockercise_run("--resume", first.summary["run_id"], "-C", root)

    reused = {name: stage["reused_from"] for name, stage in second.stages.items() if stage["status"] == "cached"}
    assert len(reused) == 5
    assert set(reused.values()) == {first.summary["run_id"]}
    assert second.stages["test(3.12,mysql)"]["status"] == "failed"
