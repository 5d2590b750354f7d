"""Shared by all tests: the engines, a Prefect server, exclusive use of an engine, and the marker `acceptance`."""

import os
import signal

from hypothesis import HealthCheck, settings

pytest_plugins = [
    "tests.engines.buildkit",
    "tests.engines.fixtures",
    "tests.support.suite.acceptance",
    "tests.support.command",
    "tests.support.suite.environment",
    "tests.support.suite.failures_at_once",
    "tests.support.hosts.github_fixtures",
    "tests.support.suite.order",
    "tests.support.prefect.prefect_server",
    "tests.support.suite.root",
    "tests.support.suite.turns",
]

# On a machine with other users, the duration of an example means nothing: no deadline, and no check of the speed.
everyday = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.register_profile("everyday", everyday)
settings.register_profile("thorough", everyday, max_examples=400)  # `make acceptance`
settings.load_profile("everyday")


def pytest_configure() -> None:
    """Give the tests the same environment on every machine and in every shell."""
    # If a shell starts the tests in the background, they ignore Ctrl-C, and so does every process that they start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # The tests must not depend on the machine's builder. Tests of BuildKit turn it on themselves.
    os.environ["DOCKER_BUILDKIT"] = "0"
