"""Calls that can be abandoned while they run."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dockercise_prefect.runtime.abandonable_calls import AbandonableCalls, AbandonedError
from tests.engines.driving import PATIENCE


def test_a_call_is_a_call() -> None:
    """Results and exceptions arrive as in a normal call of the function."""
    calls = AbandonableCalls()

    result = calls.call(lambda: 42)
    with pytest.raises(ZeroDivisionError):
        calls.call(lambda: 1 // 0)

    assert (result, calls.abandoned) == (42, False)


def test_all_who_wait_are_freed() -> None:
    """Waiting callers get an error immediately; later calls do not begin, and calls that end later disturb nobody."""
    calls, begun, gate, called = AbandonableCalls(), threading.Semaphore(0), threading.Event(), list[int]()

    def stuck() -> None:
        begun.release()
        gate.wait()
        raise OSError

    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(calls.call, stuck) for _ in range(2)]
        assert all(begun.acquire(timeout=PATIENCE) for _ in waiting)
        calls.abandon()
        errors = [each.exception(PATIENCE) for each in waiting]
    with pytest.raises(AbandonedError):
        calls.call(lambda: called.append(1))
    gate.set()

    assert [type(error) for error in errors] == [AbandonedError, AbandonedError]
    assert called == []


@pytest.mark.parametrize(
    "program",
    [
        "from dockercise_prefect.runtime.concurrent import Background; Background().do(threading.Event().wait)",
        """from dockercise_prefect.runtime.abandonable_calls import AbandonableCalls, AbandonedError
calls = AbandonableCalls()
threading.Timer(0.1, calls.abandon).start()
try: calls.call(threading.Event().wait)
except AbandonedError: pass""",
    ],
)
def test_what_never_ends_does_not_keep_the_process(program: str) -> None:
    """A process can end although a call in it waits for ever."""
    done = subprocess.run([sys.executable, "-c", f"import threading; {program}"], check=False, timeout=PATIENCE)

    assert done.returncode == 0
