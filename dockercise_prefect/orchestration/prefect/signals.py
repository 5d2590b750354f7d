"""Signals in a flow run that Prefect did not start."""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager

from prefect.exceptions import TerminationSignal

from dockercise_prefect.signals import handled, interruptions


def raised(*numbers: signal.Signals) -> AbstractContextManager[None]:
    """Inside, these signals raise `TerminationSignal`, as Prefect has SIGTERM do in a flow run, instead of ending the process.

    So a run can clean up and report what happened. A signal that does not ask the process to end is not changed.
    """

    def terminate(number: signal.Signals) -> None:
        raise TerminationSignal(signal=number)

    return handled(terminate, [number for number in numbers if number in interruptions()])
