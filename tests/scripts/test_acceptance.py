"""The tests on other engines, other Pythons and another Prefect."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts.acceptance import lower_bound, main, newest, versions

FOUND = {"python3.11": (3, 11), "python3.13": (3, 13), "/pyenv/python3.12": (3, 12)}


@pytest.mark.parametrize(("ours", "expected"), [((3, 11), "python3.13"), ((3, 13), None), ((3, 14), None)])
def test_the_newest_python_is_taken_where_it_is_newer(ours: tuple[int, int], expected: str | None) -> None:
    """Only a Python that is newer than ours is chosen, since the tests run on ours anyway."""
    assert newest(FOUND, ours) == expected


def test_a_command_that_is_no_python_is_left_out(tmp_path: Path) -> None:
    """A command that does not work, for example a shim without a target, prints something else or fails, and is left out."""
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\necho no such version >&2\nexit 127\n")
    shim.chmod(0o755)

    assert versions([str(shim), "/no/such/python", sys.executable]) == {sys.executable: sys.version_info[:2]}


def test_the_oldest_version_is_the_lower_bound() -> None:
    """If pyproject.toml gives a range, its lower bound is tested in addition to the lock."""
    project = '[project]\ndependencies = ["other>=1", "prefect<4,>=3.8.8", "prefect-docker>=0.6"]\n'

    assert lower_bound("prefect", project) == "3.8.8"


def test_what_nobody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    """For an unknown name, the message lists the known ones."""
    with pytest.raises(SystemExit):
        main(["bullseye"])

    assert "there are trixie, sid, containerd, podman, python, prefect" in capsys.readouterr().err
