"""Tests that need an engine, a server or a browser come first: they take long, and the short ones fill the remaining time."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests. Those of one file stay in their order."""
    items.sort(key=lambda item: item.get_closest_marker("docker") is None)
