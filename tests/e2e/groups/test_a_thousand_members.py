"""A stage with a thousand members on the real engine: how much memory our process needs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytestmark = [pytest.mark.docker, pytest.mark.acceptance]

MOST = 300 * 1024
"""Kilobytes."""

MEASURED = """
import resource, sys
from dockercise_prefect.__main__ import main
try:
    main()
finally:
    print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""

PIPELINE = """\
lines: {img: busybox, run: seq 1000}
test: {each: lines, img: busybox, run: 'echo "$EACH"; [ "$EACH" != 500 ]'}
"""


def test_memory(environment: dict[str, str], busybox: str, tmp_path: Path) -> None:
    """A run of a thousand members, ten at once, stays below 300 MB. One that fails does not keep the others from running."""
    assert busybox
    root = tmp_path / f"thousand-{tmp_path.name}"
    root.mkdir()
    (root / "p.dockercise.yaml").write_text(PIPELINE)
    command = [sys.executable, "-c", MEASURED, "run", "--json", "-C", str(root), "--jobs", "10"]

    said = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=3600)

    stages = json.loads(said.stdout)["stages"]
    statuses = Counter(stage["status"] for name, stage in stages.items() if name.startswith("test("))
    assert statuses == {"passed": 999, "failed": 1}
    assert stages["test"]["message"] == "1 of 1,000 members failed: test(500)"
    assert int(said.stderr.rpartition("peak ")[2]) < MOST
