"""What Prefect's engine says of a run that a worker started and that did not pass."""

from __future__ import annotations

import logging

from dockercise_prefect.errors import DockerciseError


class _NotOurs(logging.Filter):
    """Everything but our own errors: what those say stands in the flow run's state and log already, without a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], DockerciseError))


_FILTER = _NotOurs()


def keep_tracebacks_out() -> None:
    """A flow that returns a failed state makes Prefect's engine log the exception in it; from here on it does not, for ours."""
    for name in ("prefect.engine", "prefect.flow_runs"):
        logging.getLogger(name).addFilter(_FILTER)
