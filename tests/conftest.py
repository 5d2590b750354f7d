"""What all tests share: the engines, a Prefect server, turns at them, and the marker for what is too long for every day."""

import signal

pytest_plugins = [
    "tests.engines.fixtures",
    "tests.support.acceptance",
    "tests.support.github_fixtures",
    "tests.support.prefect_server",
    "tests.support.turns",
]


def pytest_configure() -> None:
    """A shell that starts the tests in the background has them ignore Ctrl-C, and so would every process that they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
