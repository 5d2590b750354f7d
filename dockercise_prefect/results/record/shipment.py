"""The protocol for sending logs to another place besides the record: to CloudWatch, or nowhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from dockercise_prefect.settings import Settings


class Shipment(Protocol):
    """Sends the lines of a run's stages to another place. Thread-safe."""

    def stream(self, stage: str) -> Callable[[str], None]:
        """A function that sends one line of the stage, without its end of line. Call this once for each stage."""
        ...

    def close(self) -> None:
        """Wait until everything has arrived. A second call has the same result.

        Raises:
            StorageError: not everything has arrived.
        """
        ...


class NoShipment:
    """Sends logs nowhere else."""

    def stream(self, stage: str) -> Callable[[str], None]:
        """See `Shipment`."""
        del stage
        return _drop

    def close(self) -> None:
        """See `Shipment`."""


def open_shipment(run: str, settings: Settings, notify: Callable[[str], None]) -> Shipment:
    """The shipment for the logs of a run, according to the user's settings.

    Args:
        run: the path of the run: `<pipeline>/<run-id>`.
        settings: may name a log group.
        notify: called with a message if logs cannot be sent any more.

    Raises:
        RefusedError: AWS cannot be used at all.
    """
    if settings.log_group is None:
        return NoShipment()
    from dockercise_prefect.results.record.cloudwatch import CloudWatchLogs  # noqa: PLC0415  boto3 is slow to import

    return CloudWatchLogs(settings.log_group, run, settings, notify)


def _drop(_line: str) -> None:
    return
