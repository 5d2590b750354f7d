"""Fixtures that the tests of results share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.results.chain_of_volumes import Run


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A run of three stages, each on the previous one."""
    run = Run(tmp_path / "results")
    yield run
    run.store._bases.close()
