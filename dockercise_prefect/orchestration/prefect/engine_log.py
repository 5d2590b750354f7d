"""Filters for the log of Prefect's engine about a run that a worker started and that did not pass."""

from __future__ import annotations

import logging

from dockercise_prefect.errors import DockerciseError


class _NotOurs(logging.Filter):
    """Drops our own errors: their text is already in the state and the log of the flow run, without a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], DockerciseError))


class _NoEmptyErrors(logging.Filter):
    """Drops errors without an exception: Prefect's task engine logs the state that a failed stage returns in such a record.

    The result of the stage is logged as a separate error (`StageRunner`).
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info != (None, None, None)


_FILTER = _NotOurs()
_OF_TASKS = _NoEmptyErrors()


def keep_tracebacks_out() -> None:
    """From here on, keep Prefect's engine from logging our exceptions in the failed state that a flow returns.

    Its task engine no longer logs the state that a stage returned either.
    """
    for name in ("prefect.engine", "prefect.flow_runs"):
        logging.getLogger(name).addFilter(_FILTER)
    logging.getLogger("prefect.task_runs").addFilter(_OF_TASKS)
