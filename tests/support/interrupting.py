"""Presses Ctrl-C at moments that only other threads can see."""

from __future__ import annotations

import signal
import sys
import threading
import time
import traceback

from dockercise_prefect.runtime.concurrent import Background
from tests.engines.driving import PATIENCE


def wait_for_the_end_of_the_run() -> None:
    """Wait until the main thread has finished its stages and waits for results that are still being stored."""
    main = _main_thread()
    until = time.monotonic() + PATIENCE
    while Background.close.__code__ not in {frame.f_code for frame, _ in traceback.walk_stack(sys._current_frames()[main])}:
        assert time.monotonic() < until, "the run does not come to its end"
        time.sleep(0.01)


def press_ctrl_c() -> None:
    """Send the signal as a terminal does. It also wakes a waiting main thread."""
    signal.pthread_kill(_main_thread(), signal.SIGINT)


def _main_thread() -> int:
    main = threading.main_thread().ident
    assert main is not None
    return main
