"""Prints each failure when it happens, so that a run that is ended from outside has already shown its errors."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

KEPT = 4_000
"""The maximum length of a failure that is printed immediately, its last characters; pytest prints all of them at the end."""


class FailuresAtOnce:
    """Listens to the reports of all workers."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Print a failure, with the time of day and the seconds that it took."""
        if not report.failed:
            return
        self._terminal.ensure_newline()
        self._terminal.section(f"{report.nodeid}, {report.when}", sep="-", red=True)
        self._terminal.line(f"{datetime.now(UTC):%H:%M:%S} UTC, after {report.duration:.1f} s")
        self._terminal.line(report.longreprtext[-KEPT:])


@pytest.hookimpl(trylast=True)  # pytest creates its reporter in the same hook
def pytest_configure(config: pytest.Config) -> None:
    """Listen in the process that receives the reports of all workers; the workers themselves print nothing."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(FailuresAtOnce(terminal))
