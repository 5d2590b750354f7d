"""Makes slots: their container, which has limits and no capabilities that it does not need, and their volume."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Final

from dockercise_prefect.archives.tarball import File, tar_stream
from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.cleanup.labels import Labels
from dockercise_prefect.runtime.concurrent import Once
from dockercise_prefect.runtime.engine import ContainerMount, ContainerSpec, Engine, EngineInfo
from dockercise_prefect.runtime.files.volumes import Volumes
from dockercise_prefect.runtime.network.holder import Holder, holder
from dockercise_prefect.runtime.network.slot import OUT, Slot
from dockercise_prefect.runtime.network.tiny_program import MACHINES
from dockercise_prefect.runtime.stage.confinement import IPNetwork

FOLDER: Final = "/.dockercise-network"
PROGRAM: Final = "holder"
"""Where the program is in the slot's container. Nothing of the image runs."""

MEMORY: Final = 16 * 1024 * 1024
PIDS: Final = 64
"""Limits of a slot. The engine itself needs a dozen threads to start it."""

# No connection is left on a port after its stage has ended. If the kernel does not have this setting for a namespace, there are
# no slots.
SYSCTLS: Final = {"net.ipv4.tcp_max_tw_buckets": "0"}


class SlotMaker:
    """Makes the slots of one run. Thread-safe.

    Args:
        engine: where they are.
        labels: of the run.
        volumes: makes volumes of the run.
        closed_to: the networks that no stage may reach.

    Attributes:
        closes: whether there are such networks.
    """

    def __init__(self, engine: Engine, labels: Labels, volumes: Volumes, closed_to: Sequence[IPNetwork] = ()) -> None:
        self._engine = engine
        self._labels = labels
        self._volumes = volumes
        self._closed_to = tuple(closed_to)
        self.closes = bool(self._closed_to)
        self._program: Once[None, str] = Once()

    def make(self, image: str, network: str = "bridge", aliases: tuple[str, ...] = ()) -> Slot:
        """A new slot, which is ready.

        Args:
            image: the id of any image, since a container needs one.
            network: the network that it leads to.
            aliases: its names in that network.

        Raises:
            EngineError: the engine refuses, or the slot is not usable.
        """
        machine = self.engine_info.machine
        if machine not in MACHINES:
            raise EngineError(f"dockercise has no program for the engine's processor, {machine}, to keep them open")
        program = self._program.get(None, lambda: self._volumes.filled("network", image, _program(machine)))
        out = self._volumes.empty("out")
        container = self._engine.create(replace(self._spec(image, program, out), network=network, aliases=aliases))
        try:
            return self._started(container, out, machine)
        except EngineError:
            with suppress(EngineError):  # it is removed with the rest of the run
                self._engine.remove(container)
            raise

    @cached_property
    def engine_info(self) -> EngineInfo:
        """What the engine says about itself. It is asked once."""
        return self._engine.info()

    def _started(self, container: str, out: str, machine: str) -> Slot:
        conversation = self._engine.converse(container)
        try:
            return Slot(container, out, Holder(conversation, machine), self._closed_to)
        except EngineError:
            conversation.close()
            raise

    def _spec(self, image: str, program: str, out: str) -> ContainerSpec:
        return ContainerSpec(
            name=self._labels.name("network"),
            image=image,
            command=(f"{FOLDER}/{PROGRAM}",),
            labels=self._labels.of_run(),
            mounts=(
                ContainerMount("volume", program, FOLDER, read_only=True),
                ContainerMount("volume", out, OUT, read_only=False),
            ),
            user="0:0",
            sysctls=SYSCTLS,
            memory=MEMORY,
            pids=PIDS,
            dropped=("ALL",),
            added=("NET_ADMIN",) if self.closes else (),
        )


def _program(machine: str) -> Iterator[bytes]:
    program = holder(machine)
    return tar_stream([File(path=PROGRAM, size=len(program), content=lambda: [program], mode=0o755)])
