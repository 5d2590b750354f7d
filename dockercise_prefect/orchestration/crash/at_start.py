"""The begin of a run is the moment when runs of this machine that died before are found."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import partial

from prefect.client.orchestration import get_client

from dockercise_prefect.errors import DockerciseError, StorageError
from dockercise_prefect.orchestration.client.http_settings import answered_within
from dockercise_prefect.orchestration.client.settings import asking_once
from dockercise_prefect.orchestration.crash.gc_process import start_gc
from dockercise_prefect.orchestration.crash.prefect_runs import PrefectRuns
from dockercise_prefect.orchestration.crash.records import DeadRecords
from dockercise_prefect.orchestration.crash.recovery import Recovery
from dockercise_prefect.orchestration.prefect.api import LOST
from dockercise_prefect.results.upkeep.dead_run import PageOfRun
from dockercise_prefect.runtime.cleanup.ownership import this_process
from dockercise_prefect.settings import Settings

ANSWER_SECONDS = 15.0
"""How many seconds Prefect has for each answer."""

LOOKING_SECONDS = 2.0
"""How many seconds the end of the run waits for the answer whether there are dead runs. Usually, it came long before."""

ENDING_SECONDS = 10.0
"""How many seconds the end of the run waits while dead runs are being ended."""


@contextmanager
def recovering(settings: Settings, page: PageOfRun, notify: Callable[[str], None]) -> Iterator[None]:
    """End the dead runs of this machine in the background, while the body runs.

    One request is sent. If nothing is dead, nothing else happens, and nothing waits. If Prefect or a place of records fails,
    `dockercise gc` or the next run tries again.

    Args:
        settings: see `DeadRecords`.
        page: see `DeadRecords`.
        notify: called with a message for each run that has been ended.
    """
    context = copy_context()  # a thread that Prefect did not start has no API
    found = threading.Event()
    work = partial(context.run, _recover, settings, page, notify, found)
    thread = threading.Thread(target=work, name="recovery", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(LOOKING_SECONDS)
        if found.is_set():
            thread.join(ENDING_SECONDS)


def _recover(settings: Settings, page: PageOfRun, notify: Callable[[str], None], found: threading.Event) -> None:
    with (
        suppress(DockerciseError, *LOST),
        asking_once(),
        get_client(httpx_settings=answered_within(ANSWER_SECONDS), sync_client=True) as client,
    ):
        records = DeadRecords(settings, page)
        recovery = Recovery(PrefectRuns(client), records, this_process(None), settings.crashed_after)
        for run in recovery.surely_dead():
            if records.wants_cleanup(run):  # that may take long, and this process may end before
                start_gc(settings)
                continue
            found.set()
            try:
                recovery.end(run)
            except StorageError as error:
                notify(f"{run.name} has ended, but its record does not say so: {error.message}")
            notify(f"{run.name} is now Crashed in Prefect: its process ended without a word")
