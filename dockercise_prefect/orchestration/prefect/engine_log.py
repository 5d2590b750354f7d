"""What Prefect's engine says of a run that a worker started and that did not pass."""

from __future__ import annotations

import logging

from dockercise_prefect.errors import DockerciseError


class _NotOurs(logging.Filter):
    """Everything but our own errors: what those say stands in the flow run's state and log already, without a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], DockerciseError))


class _NoEmptyErrors(logging.Filter):
    """Everything but errors without an exception: Prefect's task engine dumps the state that a failed stage returns in one.

    What the stage came to is an error of its own in the log (`StageRunner`).
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info != (None, None, None)


_FILTER = _NotOurs()
_OF_TASKS = _NoEmptyErrors()


def keep_tracebacks_out() -> None:
    """A flow that returns a failed state makes Prefect's engine log the exception in it; from here on it does not, for ours.

    Nor does its task engine log a state that a stage returned.
    """
    for name in ("prefect.engine", "prefect.flow_runs"):
        logging.getLogger(name).addFilter(_FILTER)
    logging.getLogger("prefect.task_runs").addFilter(_OF_TASKS)
