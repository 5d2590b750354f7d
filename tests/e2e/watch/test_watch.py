"""`dockercise watch` on the real engine, as a user types it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from queue import Queue
from secrets import token_hex

import psutil
import pytest

from dockercise_prefect.cli.watching.words import WAITING
from tests.support.pseudo_terminal import PseudoTerminal
from tests.support.running_command import PATIENCE, running, until
from tests.test_user_pages import blocks

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("busybox")]

PAGE = (Path(__file__).resolve().parents[3] / "docs/watch.md").read_text()

SLOW = """\
meta: {defaults: {img: busybox}}
slow: {run: "cat /src/a; sleep 600", vol: "code/src:/src", stopGrace: 1s}
down: {run: echo taken down, when: always, after: slow}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with code and the pipeline of the page. Its name is that of the pipeline."""
    root = tmp_path / f"shop-{token_hex(4)}"
    for name, text in {"src/one": "b\na\n", "docs/page": "two words\n", "notes": ""}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "shop.dockercise.yaml").write_text(blocks(PAGE, "yaml")[0])
    return root


def left_on_the_engine(root: Path) -> str:
    """The containers of the pipeline."""
    command = ["docker", "ps", "--all", "--quiet", "--filter", f"label=dockercise.pipeline={root.name}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def lines_until(lines: Queue[str], text: str) -> list[str]:
    """All lines up to the first one with this text."""
    found: list[str] = []
    while not found or text not in found[-1]:
        found.append(lines.get(timeout=PATIENCE).rstrip("\n"))
    return found


def as_shown(lines: list[str]) -> list[str]:
    """Lines without what differs from run to run, sorted: stages that run at once end in any order."""
    replaced = (re.sub(r"\d+\.\d s", "0.0 s", re.sub(r"\d{8}T\d{6}Z-\w{4}", "RUN", line)) for line in lines)
    return sorted(line for line in replaced if not re.match(r"shop|http|passed in|\$", line) and line)


def test_only_what_a_change_touches_runs(root: Path, environment: dict[str, str]) -> None:
    """The output is that of the page, and no file stays open after a round.

    Ctrl-C while nothing runs ends the command, and all of its processes, with status 130.
    """
    first, second = (block.splitlines() for block in blocks(PAGE, "console"))

    with running(root, environment, "watch") as (process, lines):
        watched = psutil.Process(process.pid)
        begun = lines_until(lines, WAITING)
        open_files = watched.num_fds()
        (root / "notes").write_text("no stage sees this")
        (root / "src/two").write_text("c\n")
        changed = lines_until(lines, WAITING)
        open_files_later = watched.num_fds()
        children = watched.children(recursive=True)
        process.send_signal(signal.SIGINT)
        status = process.wait(PATIENCE)

    assert as_shown(begun) == as_shown(first)
    assert as_shown(changed) == as_shown(second)
    assert status == 130
    assert open_files_later == open_files
    assert children
    assert [child for child in children if child.is_running()] == []
    assert left_on_the_engine(root) == ""


def test_a_wrong_pipeline_is_waited_for(root: Path, environment: dict[str, str]) -> None:
    """Its findings are shown. When it is mended, the stages that are different run, and the others are reused."""
    file = root / "shop.dockercise.yaml"
    right = file.read_text()

    with running(root, environment, "watch") as (process, lines):
        until(lines, WAITING)
        file.write_text(f"{right}  oops: 1\n")
        until(lines, "shop.dockercise.yaml changed\n")
        found = until(lines, "unknown key")
        until(lines, WAITING)
        file.write_text(right.replace("lines", "rows"))
        mended = lines_until(lines, WAITING)
        process.terminate()
        status = process.wait(PATIENCE)

    assert "DK021 test: unknown key `oops`" in found
    assert "shop.dockercise.yaml changed: runs test" in mended
    assert [line.split()[1] for line in mended if line.startswith("  =")] == ["words", "build"]
    assert any(line.startswith("  ✓ test") for line in mended)
    assert status == 130


def test_a_failure_is_taken_up(root: Path, environment: dict[str, str]) -> None:
    """After a round that failed, what did not pass there is reused from the round before, if it is made from the same again."""
    with running(root, environment, "watch") as (process, lines):
        until(lines, WAITING)
        (root / "src/one").unlink()
        failed = lines_until(lines, WAITING)
        (root / "src/one").write_text("b\na\n")
        mended = lines_until(lines, WAITING)
        process.terminate()
        process.wait(PATIENCE)

    assert any(line.startswith("failed in") for line in failed)
    assert [line.split()[1] for line in mended if line.startswith("  =")] == ["words", "build", "test"]


def test_a_change_cancels_the_round_and_so_does_ctrl_c(root: Path, environment: dict[str, str]) -> None:
    """Each time the clean-up stage runs. Nothing stays on the engine, and the next round sees the change."""
    (root / "shop.dockercise.yaml").write_text(SLOW)
    (root / "src/a").write_text("before\n")

    with running(root, environment, "watch") as (process, lines):
        until(lines, "before")
        (root / "src/a").write_text("after\n")
        cancelled = lines_until(lines, "cancelled in ")
        until(lines, "src/a changed: runs slow")
        until(lines, "after")
        process.send_signal(signal.SIGINT)
        ended = lines_until(lines, "cancelled in ")
        status = process.wait(PATIENCE)

    for said in (cancelled, ended):
        assert [line for line in said if line.startswith("down") and line.endswith("│ taken down")] != []
    assert status == 130
    assert left_on_the_engine(root) == ""


def test_ctrl_c_in_a_terminal_counts_once(root: Path, environment: dict[str, str]) -> None:
    """The terminal sends it to all of its processes, but the round gets it once, so its clean-up stage runs."""
    (root / "shop.dockercise.yaml").write_text(SLOW)
    (root / "src/a").write_text("before\n")
    command = [sys.executable, "-m", "dockercise_prefect", "watch"]

    with PseudoTerminal(command, root, environment | {"TERM": "xterm"}) as terminal:
        terminal.until("before")
        terminal.press("\x03")
        status = terminal.end()

    assert status == 130
    assert "taken down" in terminal.seen
    assert left_on_the_engine(root) == ""


def test_a_killed_watch_leaves_no_process(root: Path, environment: dict[str, str]) -> None:
    """The process that waits for the next round ends by itself."""
    with running(root, environment, "watch") as (process, lines):
        until(lines, WAITING)
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()

        gone, alive = psutil.wait_procs(children, PATIENCE)

    assert gone
    assert alive == []
