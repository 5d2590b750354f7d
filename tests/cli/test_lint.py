"""`lint`: findings for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Command


def test_quiet_when_all_is_well(command: Command, tmp_path: Path) -> None:
    """A right pipeline is status 0 and says nothing."""
    (tmp_path / "a.dockercise.yaml").write_text("a: {img: x}\n")

    assert command("lint") == (0, "", "")


def test_findings_as_text(command: Command, tmp_path: Path) -> None:
    """Findings go to stderr with place, code and hint, and a line counts them: status 2."""
    (tmp_path / "a.dockercise.yaml").write_text("a: {img: x, volume: y}\n")
    (tmp_path / "b.dockercise.yaml").write_text("b: {img: x, after: c}\n")

    outcome = command("lint")

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == (
        "a.dockercise.yaml:1:13: DK021 a: unknown key `volume`\n  hint: did you mean `vol`?\n"
        "b.dockercise.yaml:1:20: DK031 b comes after `c`, which is no stage\n"
        "2 findings in 2 files\n"
    )


def test_findings_as_json(command: Command, tmp_path: Path) -> None:
    """`--format json` prints a list of objects on stdout, with every field there, and the same status."""
    (tmp_path / "a.dockercise.yaml").write_text("a: {img: x}\na: {img: y}\n")

    outcome = command("lint", "--format", "json")

    assert (outcome.status, outcome.err) == (2, "")
    assert json.loads(outcome.out) == [
        {
            "code": "DK010",
            "severity": "error",
            "message": "the stage `a` is defined twice",
            "path": "a.dockercise.yaml",
            "line": 2,
            "column": 1,
            "hint": "rename one of the two, or take it away",
            "related": [{"message": "it is defined here first", "path": "a.dockercise.yaml", "line": 1, "column": 1}],
        }
    ]


def test_no_findings_as_json(command: Command, tmp_path: Path) -> None:
    """A right pipeline is an empty list."""
    (tmp_path / "a.dockercise.yaml").write_text("a: {img: x}\n")

    assert command("lint", "--format", "json") == (0, "[]\n", "")


def test_warnings_alone_are_no_failure(command: Command, tmp_path: Path) -> None:
    """Warnings are shown and the status is 0."""
    (tmp_path / "a.dockercise.yaml").write_text("a: {user: root}\n")

    outcome = command("lint")
    as_json = command("lint", "--format", "json")

    assert outcome.status == as_json.status == 0
    assert outcome.err.endswith("1 finding in 1 file\n")
    assert json.loads(as_json.out)[0]["severity"] == "warning"


def test_no_file_is_status_4(command: Command) -> None:
    """Without any file there is nothing to check: status 4."""
    outcome = command("lint")

    assert outcome.status == 4
    assert outcome.err.startswith("nothing to do: no *.dockercise.yaml below .\n")


def test_files_without_a_stage_are_fine(command: Command, tmp_path: Path) -> None:
    """A file that defines no stage is no error."""
    (tmp_path / "a.dockercise.yaml").write_text("# later\n")

    assert command("lint").status == 0
