"""What text that strangers write costs: the time grows with its size and no faster, and nothing stops the process meanwhile.

    python -m benchmarks.hostile [SECTION ...] [--rounds 20]

Each case makes an input of a size and of twice that size, and gives both to a reader of ours. Two bounds hold: twice the input
takes at most 2.3 times the processor time; and another thread of the process, which does nothing but look at the clock, is
never held up for more than 100 ms. On a busy machine single measurements are too high, never too low, so a case that is
above its bounds is measured again, and the least counts.

The cases are in `hostile_cases.py`. The exit status is 1 when a bound is missed.
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
"""Times as long that twice the input may take."""

HOLD = 100.0
"""Milliseconds for which no other thread may run."""

LEAST = 0.001
"""Seconds below which growth is not told from noise."""

TICK = 0.001


class Watch:
    """Another thread of this process, which notes how long it was held up at most, in milliseconds."""

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
    """Processor time of this process."""
    began = time.process_time()
    case.work(given)
    return time.process_time() - began


def held_up(case: Case, given: Any) -> float:
    """Milliseconds for which another thread was held up, at most."""
    with Watch() as watch:
        case.work(given)
    return watch.longest


def measured(case: Case, rounds: int) -> tuple[float, float, float]:
    """Seconds for the larger input, how many times those for the smaller, and milliseconds without another thread."""
    small, large = case.make(case.size), case.make(2 * case.size)
    gc.collect()
    gc.freeze()  # Python's collector goes through what the reader makes, and not through all that was imported
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
    """Measure, print, compare with the bounds."""
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
