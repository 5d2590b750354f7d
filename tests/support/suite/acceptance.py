"""Tests that take too long for every day run only if `-m` names their marker.

A marker expression in pytest's own options does not work: `-m` replaces it, so `-m "not docker"` would run these tests.
"""

from __future__ import annotations

import pytest

MARKER = "acceptance"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the marked tests, unless the marker expression names their marker."""
    if MARKER in config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker(MARKER)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item.get_closest_marker(MARKER) is None]
