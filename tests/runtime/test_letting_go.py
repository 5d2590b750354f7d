"""Calls that their callers can be freed from."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dockercise_prefect.runtime.letting_go import LetGoError, LettingGo
from tests.engines.driving import PATIENCE


def test_a_call_is_a_call() -> None:
    """Results and exceptions arrive as if the function had been called without it."""
    letting_go = LettingGo()

    result = letting_go.call(lambda: 42)
    with pytest.raises(ZeroDivisionError):
        letting_go.call(lambda: 1 // 0)

    assert (result, letting_go.gone) == (42, False)


def test_all_who_wait_are_freed() -> None:
    """Whoever waits gets an error at once; what comes later is not even begun; what ends later disturbs nobody."""
    letting_go, begun, gate, called = LettingGo(), threading.Semaphore(0), threading.Event(), list[int]()

    def stuck() -> None:
        begun.release()
        gate.wait()
        raise OSError

    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(letting_go.call, stuck) for _ in range(2)]
        assert all(begun.acquire(timeout=PATIENCE) for _ in waiting)
        letting_go.let_go()
        errors = [each.exception(PATIENCE) for each in waiting]
    with pytest.raises(LetGoError):
        letting_go.call(lambda: called.append(1))
    gate.set()

    assert [type(error) for error in errors] == [LetGoError, LetGoError]
    assert called == []


@pytest.mark.parametrize(
    "program",
    [
        "from dockercise_prefect.runtime.concurrent import Background; Background().do(threading.Event().wait)",
        """from dockercise_prefect.runtime.letting_go import LettingGo, LetGoError
letting_go = LettingGo()
threading.Timer(0.1, letting_go.let_go).start()
try: letting_go.call(threading.Event().wait)
except LetGoError: pass""",
    ],
)
def test_what_never_ends_does_not_keep_the_process(program: str) -> None:
    """A process ends although something of it waits for ever."""
    done = subprocess.run([sys.executable, "-c", f"import threading; {program}"], check=False, timeout=PATIENCE)

    assert done.returncode == 0
