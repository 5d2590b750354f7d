"""Measures the work for untrusted text: its time must grow in proportion to the size, and it must not block the process.

    python -m benchmarks.hostile [SECTION ...] [--rounds 20]

Each case makes an input of a size and one of twice that size, and gives both to one of our readers. There are two limits: twice
the input takes at most 2.3 times the processor time; and another thread of the process, which only reads the clock, is never
blocked for more than 100 ms. On a busy machine, single measurements are too high, never too low. So a case above its limits is
measured again, and the lowest result counts.

The cases are in `hostile_cases.py`. The exit status is 1 if a limit is exceeded.
"""

from __future__ import annotations

import argparse
import gc
import math
import threading
import time
from types import TracebackType
from typing import Any, Self

from benchmarks.hostile_cases import SECTIONS, Case

GROWTH = 2.3
"""How many times as long twice the input may take."""

HOLD = 100.0
"""The longest time in milliseconds in which other threads may be blocked."""

LEAST = 0.001
"""Below this number of seconds, growth cannot be distinguished from noise."""

TICK = 0.001


class Watch:
    """Another thread of this process. It records the longest time that it was blocked, in milliseconds."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        last = time.perf_counter()
        while not self._over.is_set():
            time.sleep(TICK)
            now = time.perf_counter()
            self.longest = max(self.longest, (now - last) * 1000)
            last = now


def seconds(case: Case, given: Any) -> float:
    """The processor time of this process for a case, in seconds."""
    began = time.process_time()
    case.work(given)
    return time.process_time() - began


def held_up(case: Case, given: Any) -> float:
    """The longest time in milliseconds in which another thread was blocked."""
    with Watch() as watch:
        case.work(given)
    return watch.longest


def measured(case: Case, rounds: int) -> tuple[float, float, float]:
    """Seconds for the larger input, their ratio to those for the smaller one, and the longest block in milliseconds."""
    small, large = case.make(case.size), case.make(2 * case.size)
    gc.collect()
    gc.freeze()  # so that the garbage collector visits only objects of the reader, not everything that was imported
    once = twice = hold = math.inf
    for _ in range(rounds):
        once = min(once, seconds(case, small))
        twice = min(twice, seconds(case, large))
        hold = min(hold, held_up(case, large))
        growth = twice / once if once > LEAST else 0.0
        if growth <= GROWTH and hold <= HOLD:
            break
    return twice, growth, hold


def main() -> int:
    """Measure, print, and compare with the limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; all when none is named")
    parser.add_argument("--rounds", type=int, default=20, help="at most, for a case above its bounds")
    given = parser.parse_args()
    if unknown := set(given.sections) - SECTIONS.keys():
        parser.error(f"there is no section {', '.join(sorted(unknown))}")
    missed = False
    for section in given.sections or SECTIONS:
        print(f"{section:34} {'ms':>8} {'growth':>8} {'hold, ms':>9}")
        for case in SECTIONS[section]():
            took, growth, hold = measured(case, given.rounds)
            wrong = [f"growth above {GROWTH}"] * (growth > GROWTH) + [f"hold above {HOLD:.0f} ms"] * (hold > HOLD)
            print(f"  {case.name:32} {took * 1000:8.1f} {growth or '':>8.3} {hold:9.1f}  {', '.join(wrong)}", flush=True)
            missed = missed or bool(wrong)
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
