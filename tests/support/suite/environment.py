"""Reports a file of tests that leaves the environment of the process changed, since the next file would then see it."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping

import pytest

_OF_PYTEST = "PYTEST_CURRENT_TEST"

_before: dict[str, str] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, None, None]:
    """Remember the environment before the first test of a file."""
    if not _before:
        _before.update(os.environ)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
    """Compare the environment after the last test of a file, put it back, and name what changed."""
    result = yield
    if nextitem is None or nextitem.path != item.path:
        changed = _changed(_before, os.environ)
        for name in changed:
            os.environ.pop(name, None)
            if name in _before:
                os.environ[name] = _before[name]
        _before.clear()
        assert not changed, f"{item.path.name} leaves variables of the environment changed: {', '.join(changed)}"
    return result


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    names = before.keys() | after.keys()
    return sorted(name for name in names - {_OF_PYTEST} if before.get(name) != after.get(name))
