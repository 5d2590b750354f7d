"""Makes slots for tests."""

from __future__ import annotations

from collections.abc import Callable

from dockercise_prefect.runtime.cleanup.labels import Labels
from dockercise_prefect.runtime.engine import Engine
from dockercise_prefect.runtime.files.volumes import Volumes
from dockercise_prefect.runtime.network.slot_maker import SlotMaker
from dockercise_prefect.runtime.network.slots import NetworkSlots
from tests.runtime.workspaces import IDENTITY

LABELS = Labels(IDENTITY, "o")


def may_start() -> None:
    """Let a stage start, whatever happens."""


def _now(task: Callable[[], object]) -> None:
    task()


def slots_on(
    engine: Engine,
    labels: Labels = LABELS,
    notify: Callable[[str], None] = print,
) -> NetworkSlots:
    """The slots of a run, none of which is made yet."""
    volumes = Volumes(engine, labels, _now, may_start)
    return NetworkSlots(SlotMaker(engine, labels, volumes), notify)
