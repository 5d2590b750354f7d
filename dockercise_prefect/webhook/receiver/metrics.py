"""What the receiver counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from dockercise_prefect.webhook.receiver.directory import Health
from dockercise_prefect.webhook.receiver.intake import Result

CONTENT_TYPE = CONTENT_TYPE_LATEST

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """All metrics of one receiver. No label comes from untrusted input, so the number of series is known."""

    def __init__(self, waiting: Callable[[], int], health: Callable[[], Health]) -> None:
        """Make the metrics.

        Args:
            waiting: returns how many orders wait.
            health: returns how far the registrations can be relied on.
        """
        self._registry = CollectorRegistry()
        prefix = "dockercise_webhook"
        registry = self._registry
        self._deliveries = Counter(f"{prefix}_deliveries", "Requests, by result", ["result"], registry=registry)
        self._seconds = Histogram(f"{prefix}_answer_seconds", "From request to answer", buckets=_BUCKETS, registry=registry)
        self._orders = Counter(f"{prefix}_submissions", "Attempts to start a run, by result", ["result"], registry=registry)
        self._runs = Counter(f"{prefix}_runs_ended", "Runs of pushes that have ended, by result", ["state"], registry=registry)
        self._statuses = Counter(f"{prefix}_statuses", "Attempts to send a commit status", ["result"], registry=registry)
        for result in Result:
            self._deliveries.labels(result)
        queue = Gauge(f"{prefix}_queue_length", "Runs that wait to be started", registry=registry)
        queue.set_function(waiting)
        count = Gauge(f"{prefix}_registrations", "Deployments that wait for pushes", registry=registry)
        count.set_function(lambda: health().count)
        up = Gauge(f"{prefix}_prefect_up", "Whether Prefect answered at the last attempt", registry=registry)
        up.set_function(lambda: health().hub_answers)
        age = Gauge(
            f"{prefix}_registrations_age_seconds", "Seconds since the registrations were read; NaN if never", registry=registry
        )
        age.set_function(lambda: _or_nan(health().age))

    def answered(self, result: Result, seconds: float) -> None:
        """Count a request that was answered."""
        self._deliveries.labels(result).inc()
        self._seconds.observe(seconds)

    def ordered(self, result: str) -> None:
        """Count an order that was processed, with its result: started, untouched, refused, later."""
        self._orders.labels(result).inc()

    def ended(self, state: str) -> None:
        """Count a run that has ended."""
        self._runs.labels(state).inc()

    def told(self, result: str) -> None:
        """Count a status that was sent, put off or lost."""
        self._statuses.labels(result).inc()

    def text(self) -> bytes:
        """All metrics, in Prometheus's text format."""
        return generate_latest(self._registry)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
