"""The process of a guardian: waits until the run has ended, and finishes it if the process of the run dies first.

It imports what it needs only then, so that it needs little memory while it waits.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from dockercise_prefect.orchestration.guard.words import BYE, DONE, READY

TROUBLE = ".guardian"
"""The file in the record that says where a guardian failed. It has no texts of errors, because they may contain secrets."""


def main() -> None:
    """Wait for the end of the run."""
    # Whoever ends the worker may also ask this process to end. What it does is bounded, and it does nothing while it waits.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    told = sys.stdin.readline()
    if not told:
        return
    _say(READY)
    if sys.stdin.readline().strip() == DONE:
        _say(BYE)
        return
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)
    found = json.loads(told)
    os.chdir("/")  # the worker may have removed the folder in which it started the run
    os.environ.clear()
    os.environ.update(found["environment"])
    try:
        _take_over(told)
    except Exception as error:
        places = "".join(traceback.format_tb(error.__traceback__))
        with suppress(OSError):
            Path(found["folder"], TROUBLE).write_text(f"{type(error).__name__}\n{places}", encoding="utf-8")
        raise


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def _take_over(told: str) -> None:
    from dockercise_prefect.orchestration.guard.message import Told  # noqa: PLC0415  see above
    from dockercise_prefect.orchestration.takeover.after_death import after_death  # noqa: PLC0415  see above

    after_death(Told.from_json(told))


if __name__ == "__main__":
    main()
