"""A stage that prints a lot: its log is compressed in the record, and everything shows it like any other log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Dockercise
from tests.support.prefect.prefect_records import ask

pytestmark = pytest.mark.docker

PIPELINE = """
meta: {name: long, defaults: {img: busybox}}
talk: {run: yes "a line and many more" | head -n 200000}
say: {run: echo short}
fail: {after: talk, run: echo no >&2; exit 1}
"""
PRINTED = b"a line and many more\n" * 200_000


def test_a_long_log_is_compressed_and_shown(
    dockercise_run: Dockercise, environment: dict[str, str], prefect_api: str, tmp_path: Path
) -> None:
    """The record has the log compressed; `logs`, `show`, the page and Prefect's artifact find it."""
    (tmp_path / "long").mkdir()
    (tmp_path / "long/p.dockercise.yaml").write_text(PIPELINE)

    said = dockercise_run("-C", tmp_path / "long")

    def dockercise(*arguments: str) -> bytes:
        command = [sys.executable, "-m", "dockercise_prefect", *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True).stdout

    record = Path(said.summary["results"].removeprefix("file://"))
    run_id = said.summary["run_id"]
    assert {path.name for path in record.iterdir() if ".log" in path.name} == {"talk.log.zst", "say.log", "fail.log"}
    assert dockercise("logs", run_id, "talk") == PRINTED
    assert dockercise("logs", run_id).count(b"a line and many more") == 200_000
    assert b"exit code 1" in dockercise("show", run_id)
    assert 'href="talk.log.zst"' in (record / "report.html").read_text()
    kept = ask(prefect_api, "artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [said.summary["flow_run_id"]]}}})
    (talk,) = (artifact["data"] for artifact in kept if artifact["key"] == "long-stage-talk")
    assert f"{record}/talk.log.zst" in talk
    assert "left out here; the full log is in the file" in (record / "report.html").read_text()
