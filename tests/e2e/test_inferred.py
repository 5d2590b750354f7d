"""A pipeline whose needs are only in its scripts runs in the right order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Dockercise
from tests.support.prefect import prefect_records

pytestmark = pytest.mark.docker

PIPELINE = """\
use:
  img: busybox
  run: |
    echo "$VERSION from $(cat /notes/text) and $(cat out/version)"
    cat /code/letter.txt >&2
notes:
  img: busybox
  run: echo "notes of ${VERSION}" > "$OUT/text"
version: {img: busybox, run: echo 1.10}
"""


def test_scripts_say_what_they_need(dockercise_run: Dockercise, prefect_api: str, tmp_path: Path) -> None:
    """Variables, volumes, outputs and the code that scripts name are available, and Prefect's graph has the edges."""
    root = tmp_path / "named"
    root.mkdir()
    (root / "p.dockercise.yaml").write_text(PIPELINE)
    (root / "letter.txt").write_text("a letter\n")

    said = dockercise_run("-C", root)

    assert said.exit_status == 0, said.stderr
    results = next(filter(Path.is_dir, (tmp_path / "data/results/named").iterdir()))
    assert json.loads((results / "use.json").read_text())["value"] == "1.10 from notes of 1.10 and 1.10"
    assert "a letter" in (results / "use.log").read_text()
    seen = prefect_records.task_runs(prefect_api, said.summary["flow_run_id"], 3)
    assert {name: set(run.needs) for name, run in seen.items()} == {
        "version": set(),
        "notes": {"version"},
        "use": {"version", "notes"},
    }
