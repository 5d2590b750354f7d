"""Keeps the host of a stack awake while a process needs it: a job, or a command that waits for the host."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from dockercise_prefect.aws.parameters import StackParameters
from dockercise_prefect.errors import DockerciseError

LEASE_SECONDS = 15 * 60
"""If the process dies without a word, the host may sleep after this time."""

RENEW_SECONDS = 60


@contextmanager
def kept_awake(
    parameters: StackParameters, notify: Callable[[str], None], clock: Callable[[], float] = time.time
) -> Iterator[None]:
    """Inside, the host's stack is told to keep the host awake; afterwards, it may sleep as soon as it has nothing to do.

    Several processes, and `aws wake`, may ask for the same host. So a later moment of somebody else is never made earlier, and
    the moment is taken back only if nobody has changed it since.

    Args:
        parameters: of the host's stack.
        notify: called with a message if the moment cannot be renewed, which does no harm for a while.
        clock: gives seconds since 1970.

    Raises:
        StorageError: SSM does not answer.
    """
    lease = _Lease(parameters, clock)
    lease.renew()
    ended = Event()

    def renew() -> None:
        while not ended.wait(RENEW_SECONDS):
            try:
                lease.renew()
            except DockerciseError as error:
                notify(f"the host may fall asleep: {error.message}")

    renewing = Thread(target=renew, name="keep-awake", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        lease.give_back()


class _Lease:
    def __init__(self, parameters: StackParameters, clock: Callable[[], float]) -> None:
        self._parameters = parameters
        self._clock = clock
        self._before = 0
        self._ours = 0

    def renew(self) -> None:
        found = self._parameters.awake_until()
        wanted = int(self._clock()) + LEASE_SECONDS
        if found >= wanted:
            return
        if found != self._ours:
            self._before = found
        self._parameters.save_awake_until(wanted)
        self._ours = wanted

    def give_back(self) -> None:
        if self._ours and self._parameters.awake_until() == self._ours:
            self._parameters.save_awake_until(self._before if self._before > self._clock() else 0)
