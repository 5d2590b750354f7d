"""`schema`: the language's JSON Schema, printed or written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dockercise_prefect.compiler.schema import schema_text
from tests.support.command import Command


def test_schema_on_standard_output(command: Command, tmp_path: Path) -> None:
    """Without options the schema is printed, as JSON, and nothing is written."""
    outcome = command("schema")

    assert outcome.status == 0
    assert json.loads(outcome.out)["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert list(tmp_path.iterdir()) == []


def test_schema_in_a_file(command: Command, tmp_path: Path) -> None:
    """With `-o` the schema is written whole over the old file; nothing is printed, and no other file is left."""
    (tmp_path / "s.json").write_text("old")

    outcome = command("schema", "-o", "s.json")

    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")
    assert (tmp_path / "s.json").read_text() == schema_text()
    assert [path.name for path in tmp_path.iterdir()] == ["s.json"]


def test_a_place_that_cannot_be_written(command: Command, tmp_path: Path) -> None:
    """A place that cannot be written is status 2 with a hint."""
    (tmp_path / "file").touch()

    outcome = command("schema", "-o", "file/s.json")

    assert outcome.status == 2
    assert outcome.err.startswith("file/s.json cannot be written: ")


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_same_bytes_each_time(seed: str) -> None:
    """Another process with another hash seed prints the same bytes, and imports neither Prefect nor Docker."""
    program = "import sys; from dockercise_prefect.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    program += "print([name for name in ('prefect', 'docker') if name in sys.modules], file=sys.stderr)"

    result = subprocess.run(
        [sys.executable, "-c", program, "schema"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )

    assert result.stdout == schema_text()
    assert result.stderr == "[]\n"
