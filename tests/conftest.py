"""What all tests share: the engines, a Prefect server, turns at them, and the marker for what is too long for every day."""

import os
import signal

from hypothesis import HealthCheck, settings

pytest_plugins = [
    "tests.engines.fixtures",
    "tests.support.acceptance",
    "tests.support.command",
    "tests.support.failures_at_once",
    "tests.support.github_fixtures",
    "tests.support.prefect_server",
    "tests.support.root",
    "tests.support.turns",
]

# How long an example takes says nothing on a machine that others use too: no deadline, and no check of the speed.
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")


def pytest_configure() -> None:
    """Make the tests find the same on every machine and in every shell."""
    # A shell that starts the tests in the background has them ignore Ctrl-C, and so would every process that they start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Which builder a machine has must not decide what is tested: tests of BuildKit ask for it themselves.
    os.environ["DOCKER_BUILDKIT"] = "0"
