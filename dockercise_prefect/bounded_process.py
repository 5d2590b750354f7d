"""Work on untrusted input in a separate process, which is stopped if it needs too much time or memory.

Only a process can limit arbitrary code: a thread cannot be stopped, and a long call into C blocks all threads.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module

from dockercise_prefect.errors import DockerciseError, ExitStatus

_PR_SET_PDEATHSIG = 1
"""See prctl(2)."""

_NO_MEMORY = 71
"""The exit status of a process that had no memory left."""


class TooMuchWorkError(DockerciseError):
    """The work needed more time or memory than allowed. Repeating it does not help."""


class ProcessEndedError(DockerciseError):
    """The process ended without an answer, for an unknown reason."""

    exit_status = ExitStatus.ENGINE_FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The limits of the work.

    Attributes:
        cpu: seconds of processor time.
        seconds: seconds until the process must have ended, even if it only waits.
        memory: bytes of address space.
    """

    cpu: int
    seconds: float
    memory: int


def work_in_process(work: str, given: bytes, bounds: Bounds) -> bytes:
    """Call a function in a separate process and return its result.

    Args:
        work: the function, as `module:name`; it takes bytes and returns bytes.
        given: the argument of the function.
        bounds: the limits of the process.

    Raises:
        TooMuchWorkError: the process went over a limit and was ended.
        ProcessEndedError: the process ended without an answer.
    """
    command = [sys.executable, "-P", "-m", __name__, work, str(bounds.cpu), str(bounds.memory)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            answer, _ = process.communicate(given, timeout=bounds.seconds)
        except subprocess.TimeoutExpired as error:
            raise TooMuchWorkError(f"it took more than {bounds.seconds:g} seconds") from error
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    if process.returncode == -signal.SIGXCPU:
        raise TooMuchWorkError(f"it took more than {bounds.cpu} seconds of processor time")
    if process.returncode == _NO_MEMORY or process.returncode < 0:
        # If C code gets no memory, a signal is as likely as an error.
        raise TooMuchWorkError(f"it used more than {bounds.memory >> 20} MiB of memory")
    if process.returncode != 0:
        raise ProcessEndedError(f"the process for {work} exited with status {process.returncode}")
    return answer


def _be_apart(work: str, cpu: int, memory: int) -> None:
    # The parent may be killed. Linux then ends this process, and nothing reads the output of the processes it started.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    module, _, name = work.partition(":")
    try:
        answer = getattr(import_module(module), name)(sys.stdin.buffer.read())
    except MemoryError:
        os._exit(_NO_MEMORY)
    sys.stdout.buffer.write(answer)


if __name__ == "__main__":
    _be_apart(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
