"""The last thing that a process of the command does."""

from __future__ import annotations

import subprocess
import sys

import pytest

BEGIN = """
import atexit, sys, threading, time
from dockercise_prefect.signals import LastStep
last = LastStep()
atexit.register(last)
class Destroyed:
    def __del__(self):
        sys.stderr.write("destroyed\\n")
one = Destroyed()
"""


def ended(*lines: str) -> subprocess.CompletedProcess[str]:
    """A process that does this and ends."""
    script = BEGIN + "\n".join(lines)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)


def test_nothing_is_destroyed_when_the_status_is_known() -> None:
    """The process has its exit status and all of its output, and Python destroys nothing before it ends."""
    process = ended("last.status = 3", "sys.stdout.write('out')", "sys.stderr.write('err')", "raise SystemExit(3)")

    assert (process.returncode, process.stdout, process.stderr) == (3, "out", "err")


def test_threads_and_functions_of_libraries_come_first() -> None:
    """The process waits for its threads, and then calls what libraries have registered, before it ends."""
    process = ended(
        "def work():",
        "    time.sleep(0.2)",
        "    print('thread')",
        "threading.Thread(target=work).start()",
        "atexit.register(print, 'library')",
        "last.status = 0",
    )

    assert (process.returncode, process.stdout.split()) == (0, ["thread", "library"])


def test_an_error_is_shown_by_python() -> None:
    """Without a status, for example after an error that nobody caught, Python ends the process and shows the error."""
    process = ended("raise ValueError('broken')")

    assert process.returncode == 1
    assert "ValueError: broken" in process.stderr
    assert "destroyed" in process.stderr


@pytest.mark.parametrize("status", [None, 4])
def test_signals_do_nothing_any_more(status: int | None) -> None:
    """A signal that comes after the last step does not change how the process ends."""
    process = ended(
        "import os, signal",
        "os_exit = os._exit",
        "def late(status):",
        "    os.kill(os.getpid(), signal.SIGTERM)",
        "    os_exit(status)",
        "os._exit = late",
        f"last.status = {status}",
        "last()",
        "os.kill(os.getpid(), signal.SIGINT)",
        "os_exit(4)",
    )

    assert process.returncode == 4
