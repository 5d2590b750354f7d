"""Connects `gc` with Prefect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from dockercise_prefect.orchestration.crash.prefect_runs import PrefectRuns
from dockercise_prefect.orchestration.crash.records import DeadRecords
from dockercise_prefect.orchestration.crash.recovery import Recovery
from dockercise_prefect.orchestration.gc.chores import Chores
from dockercise_prefect.orchestration.prefect.api import prefect_api
from dockercise_prefect.orchestration.run.report import report
from dockercise_prefect.orchestration.takeover.take_over import take_over
from dockercise_prefect.runtime.cleanup.ownership import this_process
from dockercise_prefect.settings import Settings

TRIES_AGAIN = 1
"""How often a request is repeated that Prefect does not answer. The next `gc` does what this one cannot."""


@contextmanager
def opened_chores(settings: Settings, wait: Callable[[float], None], notify: Callable[[str], None]) -> Iterator[Chores]:
    """All parts of `gc`, with the user's Prefect. The local server is started if it is the user's Prefect and does not run.

    Args:
        settings: see `Chores`.
        wait: see `Chores`.
        notify: see `Chores`.

    Raises:
        OrchestratorError: the local server cannot be started.
    """
    with (
        prefect_api(settings.data, notify),
        temporary_settings({PREFECT_CLIENT_MAX_RETRIES: TRIES_AGAIN}),
        get_client(sync_client=True) as client,
    ):
        records = DeadRecords(settings, report)
        recovery = Recovery(PrefectRuns(client), records, this_process(None), settings.crashed_after)
        yield Chores(settings, recovery, records, wait, notify, partial(take_over, settings=settings, client=client))
