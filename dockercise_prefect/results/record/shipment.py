"""Where logs go besides the record, as a protocol: to CloudWatch, or nowhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from dockercise_prefect.settings import Settings


class Shipment(Protocol):
    """Takes the lines of a run's stages elsewhere. Thread-safe."""

    def stream(self, stage: str) -> Callable[[str], None]:
        """Where the lines of a stage go, each without its end of line; asked for once a stage."""
        ...

    def close(self) -> None:
        """Wait until everything has arrived; again, it says the same.

        Raises:
            StorageError: it has not.
        """
        ...


class NoShipment:
    """Logs go nowhere else."""

    def stream(self, stage: str) -> Callable[[str], None]:
        """See `Shipment`."""
        del stage
        return _drop

    def close(self) -> None:
        """See `Shipment`."""


def open_shipment(run: str, settings: Settings, notify: Callable[[str], None]) -> Shipment:
    """Where the logs of a run go by the user's settings.

    Args:
        run: its path: `<pipeline>/<run-id>`.
        settings: may name a log group.
        notify: told when logs can be taken nowhere any more.

    Raises:
        RefusedError: AWS cannot be used at all.
    """
    if settings.log_group is None:
        return NoShipment()
    from dockercise_prefect.results.record.cloudwatch import CloudWatchLogs  # noqa: PLC0415  boto3 takes a while

    return CloudWatchLogs(settings.log_group, run, settings, notify)


def _drop(_line: str) -> None:
    return
