"""`dockercise shell` at a terminal, and how a shell ends: nothing of it stays on the engine."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dockercise_prefect.errors import ExitStatus
from tests.e2e.conftest import Dockercise
from tests.support.pseudo_terminal import PseudoTerminal
from tests.support.shells import PATIENCE, SHELL, left_of, piped

pytestmark = pytest.mark.docker

SECRET = "p'a ss\nword-4711"

COMMAND = ["env", "--default-signal=HUP,INT", *SHELL, "last", "check"]  # the tests may run under nohup


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of a pipeline."""
    root = tmp_path / "shop"
    root.mkdir()
    (root / "p.dockercise.yaml").write_text("check: {img: busybox, env: PASSWORD, run: exit 1}\n")
    return root


@pytest.fixture
def run_id(dockercise_run: Dockercise, root: Path) -> str:
    """The id of a run whose stage `check` failed."""
    return str(dockercise_run("-C", root, PASSWORD=SECRET).summary["run_id"])


@pytest.fixture
def own(environment: dict[str, str]) -> dict[str, str]:
    """The environment of a user who has the stage's variable."""
    return environment | {"PASSWORD": SECRET}


def test_a_user_at_a_terminal(own: dict[str, str], run_id: str, root: Path) -> None:
    """The shell has the user's terminal: its size, also a new one, Ctrl-C, no secret on it, and it is as before at the end."""
    with PseudoTerminal(COMMAND, root, own, rows=33, columns=111) as terminal:
        terminal.until("its script: sh -e /.dockercise/script")
        terminal.until("# ")
        terminal.press("stty size; echo $((20 + 22))\n")
        terminal.until("33 111\r\n42\r\n")
        terminal.resize(44, 99)
        terminal.press("while [ \"$(stty size)\" != '44 99' ]; do sleep 0.1; done; echo resi''zed\n")
        terminal.until("resized\r\n")
        terminal.until("# ")
        terminal.press("sh -c 'echo sle\"\"eping; exec sleep 1000'; echo not he''re\n")
        terminal.until("sleeping")
        terminal.press("\x03")
        terminal.until("# ")
        terminal.press("exit 5\n")
        status = terminal.end()
        after = terminal.settings

    assert status == 5
    assert after == terminal.before
    assert "not here" not in terminal.seen
    assert "word-4711" not in terminal.seen
    assert left_of(run_id) == []


def test_every_key_is_the_shells(own: dict[str, str], run_id: str, root: Path) -> None:
    """Ctrl-P Ctrl-Q, with which the engine would let go of the input, reaches the shell, and Ctrl-P alone is not held back."""
    with PseudoTerminal(COMMAND, root, own) as terminal:
        terminal.until("# ")
        terminal.press("stty raw -echo; echo rea''dy; head -c 3 | od -c; stty sane; echo do''ne\n")
        terminal.until("ready")
        terminal.press("\x10\x11\x10")
        seen = terminal.until("done")
        terminal.press("exit\n")
        status = terminal.end()

    assert "020 021 020" in seen
    assert status == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it(own: dict[str, str], run_id: str, root: Path, number: signal.Signals) -> None:
    """If the command is asked to end, the shell ends, and the terminal is as before."""
    with PseudoTerminal(COMMAND, root, own) as terminal:
        terminal.until("# ")
        assert left_of(run_id) != []
        terminal.process.send_signal(number)
        status = terminal.end()
        after = terminal.settings

    assert status == ExitStatus.INTERRUPTED
    assert after == terminal.before
    assert left_of(run_id) == []


def test_a_terminal_that_is_closed(own: dict[str, str], run_id: str, root: Path) -> None:
    """If the user closes the terminal while a program runs in the shell, both end."""
    with PseudoTerminal(COMMAND, root, own) as terminal:
        terminal.until("# ")
        terminal.press("echo sle''eping; sleep 1000\n")
        terminal.until("sleeping")
        terminal.hang_up()
        status = terminal.process.wait(PATIENCE)

    assert status == ExitStatus.INTERRUPTED
    assert left_of(run_id) == []


def test_ctrl_c_without_a_terminal(own: dict[str, str], run_id: str, root: Path) -> None:
    """If the input is a pipe, Ctrl-C ends the command, with the exit status that it always has then."""
    with subprocess.Popen(COMMAND, cwd=root, env=own, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write("echo begun; sleep 1000; echo not\n")
        process.stdin.flush()
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        status = process.wait(PATIENCE)

    assert (first, rest, status) == ("begun\n", "", ExitStatus.INTERRUPTED)
    assert left_of(run_id) == []


def test_a_reader_that_leaves(own: dict[str, str], run_id: str, root: Path) -> None:
    """If nobody reads the output any more, the shell ends, as each command does then."""
    command = f"yes 'while :; do echo line; done' | {sys.executable} -m dockercise_prefect shell last check | head -n 1"

    done = subprocess.run(
        ["sh", "-c", command], cwd=root, env=own, capture_output=True, text=True, timeout=PATIENCE, check=True
    )

    assert done.stdout == "line\n"
    assert "Traceback" not in done.stderr
    assert left_of(run_id) == []


def test_a_command_without_input(own: dict[str, str], run_id: str, root: Path) -> None:
    """A command that was started without a standard input opens a shell that ends at once."""
    command = f"exec {sys.executable} -m dockercise_prefect shell last check <&-"

    done = subprocess.run(
        ["sh", "-c", command], cwd=root, env=own, capture_output=True, text=True, timeout=PATIENCE, check=False
    )

    assert (done.stdout, done.returncode) == ("", 0), done.stderr


def test_a_container_that_somebody_removes(own: dict[str, str], run_id: str, root: Path) -> None:
    """If the container is removed under the user, the message says so."""
    with PseudoTerminal(COMMAND, root, own) as terminal:
        terminal.until("# ")
        subprocess.run(
            ["sh", "-c", f"docker rm -f $(docker ps -q --filter label=dockercise.run={run_id})"],
            check=True,
            capture_output=True,
        )
        status = terminal.end()
        after = terminal.settings

    assert "no shell in check: container" in terminal.seen
    assert "was removed while it was running" in terminal.seen
    assert (status, after) == (ExitStatus.STAGE_FAILED, terminal.before)
    assert left_of(run_id) == []


def test_a_command_that_was_killed(own: dict[str, str], run_id: str, root: Path) -> None:
    """What a killed command leaves on the engine is removed by the next shell, as by the next run."""
    with PseudoTerminal(COMMAND, root, own) as terminal:
        terminal.until("# ")
        terminal.process.kill()
        terminal.process.wait(PATIENCE)
    before = left_of(run_id)

    done = piped(own, root, "exit 4", "last", "check")

    assert before != []
    assert done.returncode == 4
    assert left_of(run_id) == []
