"""Tests that need an engine, a server or a browser come first: they are long, and the short ones then fill what is left."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests. Those of one file stay in their order."""
    items.sort(key=lambda item: item.get_closest_marker("docker") is None)
