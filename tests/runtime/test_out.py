"""`/out`: which volume a stage gets, and what is in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import Stage
from dockercise_prefect.runtime.cleanup.labels import Labels
from dockercise_prefect.runtime.files.shared_volumes import SharedVolumes
from dockercise_prefect.runtime.network.slot_maker import FOLDER, SlotMaker
from dockercise_prefect.runtime.network.slots import NetworkSlots
from dockercise_prefect.runtime.out import SMALL, OutFolders
from dockercise_prefect.runtime.stage.job import JobResult
from tests.engines.scripted import BUSYBOX, Behaviour, ScriptedEngine
from tests.runtime.workspaces import IDENTITY, MemoryOutputs, passed, sh, volumes_of

A, B = sh("a", "x"), sh("b", "x")


def may_start() -> None:
    """Let a stage start, whatever happens."""


class Outs:
    """The `/out` of the stages of one run, which has one slot, on a scripted engine."""

    def __init__(self, engine: ScriptedEngine) -> None:
        self.engine = engine
        self.outputs = MemoryOutputs()
        volumes, image = volumes_of(engine), engine.add_image(BUSYBOX)
        self.slots = NetworkSlots(SlotMaker(engine, Labels(IDENTITY, "owner"), volumes), logging.warning)
        self.slots.allow(1, image)
        shared = SharedVolumes(engine, volumes, None, None, logging.warning, {})
        self.folders = OutFolders(shared, self.slots, lambda: image)

    def volume(self, stage: Stage, *inputs: JobResult) -> str:
        """The volume that the stage gets."""
        needed = {one.stage: one for one in inputs}
        self.folders.prepare(stage, needed, self.outputs)
        with self.slots.lease(may_start) as lease:
            (mount,) = self.folders.mounts(stage, needed, self.outputs, lease)
        assert (mount.target, mount.read_only) == ("/out", True)
        return mount.source

    def files(self, volume: str) -> dict[str, bytes]:
        """The files in a volume."""
        return {name: entry.data for name, entry in self.engine.volume(volume).entries.items() if name}

    def left(self, name: str, printed: bytes, attempt: int = 1) -> JobResult:
        """The result of an attempt that printed this."""
        return passed(self.outputs, name, printed, attempt)


@pytest.fixture
def outs(scripted: ScriptedEngine) -> Iterator[Outs]:
    """The `/out` of the stages of one run."""
    made = Outs(scripted)
    yield made
    made.slots.close()


def test_small_files_are_in_the_volume_of_the_slot(outs: Outs) -> None:
    """One stage after the other finds its own files in the volume of the slot, and nothing is put through the engine."""
    a, b = outs.left("a", b"one"), outs.left("b", b"two")

    first = outs.volume(sh("c", "x", after=[A]), a)
    seen = [outs.files(first)]
    second = outs.volume(sh("d", "x", after=[A, B]), a, b)
    seen.append(outs.files(second))

    assert first == second
    assert seen == [{"a": b"one"}, {"a": b"one", "b": b"two"}]
    assert outs.engine.calls["put"] == 1  # the program of the slot


def test_many_bytes_are_in_a_volume_that_stages_share(outs: Outs) -> None:
    """What would take a slot long is put into a volume, once for all stages that need it."""
    long = outs.left("a", b"x" * (SMALL + 1))

    first, second = (outs.volume(sh(name, "x", after=[A]), long) for name in ("c", "d"))

    assert first == second
    assert outs.files(first) == {"a": b"x" * (SMALL + 1)}
    assert outs.engine.calls["put"] == 2


def test_stages_without_a_slot_share_a_volume(outs: Outs) -> None:
    """Stages with another network need the engine for `/out`, and share a volume if they need the same attempts."""
    outs.slots.allow(0, None)
    a, again = outs.left("a", b"one"), outs.left("a", b"one", attempt=2)

    volumes = [outs.volume(sh(name, "x", after=[A]), left) for name, left in (("c", a), ("d", a), ("e", again))]

    assert volumes[0] == volumes[1] != volumes[2]
    assert outs.files(volumes[0]) == {"a": b"one"}


def test_a_slot_that_cannot_write(outs: Outs) -> None:
    """If the slot cannot replace its files, the engine puts them into a volume, and no other stage gets that slot."""
    outs.engine.script(FOLDER, Behaviour(refused={"unlinkat"}))

    of_slot, shared = (outs.volume(sh(name, "x", after=[A]), outs.left("a", name.encode())) for name in ("c", "d"))
    with outs.slots.lease(may_start) as lease:
        network = lease.network

    assert of_slot != shared
    assert outs.files(shared) == {"a": b"d"}
    assert network == "bridge"


def test_output_that_is_lost(outs: Outs) -> None:
    """A stage does not start without what another one printed."""
    lost = replace(outs.left("a", b"one"), stdout=None)

    with pytest.raises(EngineError, match="what a printed is lost"):
        outs.volume(sh("c", "x", after=[A]), lost)
