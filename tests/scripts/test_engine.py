"""Starting an engine if none answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.engine import stale


@pytest.fixture
def processes(tmp_path: Path) -> Path:
    """A proc file system with one process: dockerd, number 42."""
    folder = tmp_path / "proc"
    (folder / "42").mkdir(parents=True)
    (folder / "42" / "comm").write_text("dockerd\n", encoding="ascii")
    return folder


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("42", "dockerd", False),
        ("42\n", "dockerd", False),
        ("42", "containerd", True),
        ("43", "dockerd", True),
        ("", "dockerd", True),
    ],
    ids=["alive", "alive, with a newline", "number given to another program", "gone", "empty file"],
)
def test_a_pid_file_of_a_dead_daemon_is_stale(tmp_path: Path, processes: Path, text: str, name: str, *, expected: bool) -> None:
    """A pid file is valid only while the program that wrote it runs with that number."""
    pid_file = tmp_path / "docker.pid"
    pid_file.write_text(text, encoding="ascii")

    assert stale(pid_file, name, processes) is expected


def test_a_pid_file_that_is_not_there_is_not_stale(tmp_path: Path, processes: Path) -> None:
    """If there is no pid file, there is nothing to remove."""
    assert not stale(tmp_path / "docker.pid", "dockerd", processes)
