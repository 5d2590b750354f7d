"""The host's metrics in CloudWatch: how full the kept volume is, and how long the host was awake."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dockercise_prefect.aws.names import AWAKE_METRIC, DISK_METRIC, METRICS
from dockercise_prefect.results.places.aws import aws_errors

INTERVAL = 300.0
"""Seconds between two puts."""


class Metrics:
    """Puts both metrics. The sum of the minutes over any time is how long the host was awake in it.

    Args:
        client: boto3's client for CloudWatch.
        stack: the name of the stack.
        volume: a folder on the kept volume.
        clock: a clock in seconds that is never set back.
    """

    def __init__(self, client: Any, stack: str, volume: Path, clock: Callable[[], float]) -> None:
        self._client = client
        self._stack = stack
        self._volume = volume
        self._clock = clock
        self._last = clock()

    def put(self) -> None:
        """Put both metrics.

        Raises:
            StorageError: CloudWatch does not answer. The minutes are counted with the next put.
        """
        now = self._clock()
        usage = shutil.disk_usage(self._volume)
        data = {
            DISK_METRIC: (100 * usage.used / (usage.used + usage.free), "Percent"),
            AWAKE_METRIC: ((now - self._last) / 60, "None"),
        }
        dimensions = [{"Name": "Stack", "Value": self._stack}]
        with aws_errors("cannot put metrics into CloudWatch"):
            self._client.put_metric_data(
                Namespace=METRICS,
                MetricData=[
                    {"MetricName": name, "Dimensions": dimensions, "Value": value, "Unit": unit}
                    for name, (value, unit) in data.items()
                ],
            )
        self._last = now
