"""Slots that are ready."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dockercise_prefect.runtime.cleanup.labels import Labels, RunIdentity
from dockercise_prefect.runtime.engine import Engine, ResolvedImage
from dockercise_prefect.runtime.network.slots import NetworkSlots
from tests.runtime.network.making import slots_on


@pytest.fixture
def slots(engine: Engine, image: ResolvedImage, run_id: str) -> Iterator[NetworkSlots]:
    """One slot, which is ready and free."""
    labels = Labels(RunIdentity(run_id, "p", "f"), "owner")
    made = slots_on(engine, labels)
    made.allow(1, image.id)
    made.start()
    for thread in made._threads:
        thread.join(60)
    yield made
    made.close()
    for leftover in engine.leftovers():
        if labels.mine(leftover.labels):
            engine.discard(leftover)
