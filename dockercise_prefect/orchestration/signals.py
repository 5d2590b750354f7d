"""The signals that ask a process to end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


def interruptions() -> tuple[signal.Signals, ...]:
    """The signals that ask the process to end; of a terminal that closes (SIGHUP), unless `nohup` said to outlive it."""
    asked = (signal.SIGINT, signal.SIGTERM)
    return asked if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (*asked, signal.SIGHUP)


@contextmanager
def raised(*numbers: signal.Signals) -> Iterator[None]:
    """Inside, these signals raise `TerminationSignal`, as Prefect has SIGTERM do in a flow run, instead of ending the process.

    So what was made is removed, and what happened is told. A signal that does not ask the process to end is left as it is;
    elsewhere than in the main thread nobody can catch signals, and nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    from prefect.exceptions import TerminationSignal  # noqa: PLC0415  commands that need no Prefect ask for `interruptions`

    def terminate(number: int, _frame: FrameType | None) -> None:
        raise TerminationSignal(signal=number)

    before = {number: signal.signal(number, terminate) for number in numbers if number in interruptions()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
