"""Skips tests that need root if the user is not root, with the reason.

These tests make their own engine or image, which only root can do. All other tests need only access to an engine.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from scripts.console import NeedsRootError


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    """Skip a test if one of its fixtures needs root."""
    return (yield from _skipping())


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    """Skip a test if it needs root itself."""
    return (yield from _skipping())


def _skipping() -> Generator[None, object, object]:
    try:
        return (yield)
    except NeedsRootError as error:
        pytest.skip(str(error).partition("\n")[0])
