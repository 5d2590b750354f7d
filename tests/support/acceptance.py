"""Tests that are too long for every day run only when `-m` asks for them by name.

A marker expression in pytest's own options would be replaced by whatever `-m` says, and `-m "not docker"` would then run them.
"""

from __future__ import annotations

import pytest

MARKER = "acceptance"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the marked tests out, counted as deselected, unless the marker expression names them."""
    if MARKER in config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker(MARKER)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item.get_closest_marker(MARKER) is None]
