"""Tests that need root are skipped for everybody else, with the reason.

Some make an engine or an image of their own, which only root can. Whoever has access to an engine can run all others.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from scripts.console import NeedsRootError


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    """Skip a test with a fixture that needs root."""
    return (yield from _skipping())


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    """Skip a test that needs root."""
    return (yield from _skipping())


def _skipping() -> Generator[None, object, object]:
    try:
        return (yield)
    except NeedsRootError as error:
        pytest.skip(str(error).partition("\n")[0])
