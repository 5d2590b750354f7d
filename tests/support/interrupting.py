"""Ctrl-C at moments that only other threads see."""

from __future__ import annotations

import signal
import sys
import threading
import time
import traceback

from dockercise_prefect.runtime.concurrent import Background
from tests.engines.driving import PATIENCE


def wait_for_the_end_of_the_run() -> None:
    """Until the main thread has left its stages behind and waits for what is still being put away."""
    main = _main_thread()
    until = time.monotonic() + PATIENCE
    while Background.close.__code__ not in {frame.f_code for frame, _ in traceback.walk_stack(sys._current_frames()[main])}:
        assert time.monotonic() < until, "the run does not come to its end"
        time.sleep(0.01)


def press_ctrl_c() -> None:
    """As a terminal does: the signal also wakes a main thread that waits."""
    signal.pthread_kill(_main_thread(), signal.SIGINT)


def _main_thread() -> int:
    main = threading.main_thread().ident
    assert main is not None
    return main
