"""`/out` of a stage: a volume with what the stages that it needs have printed (LANGUAGE section 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.runtime.engine import ContainerMount
from dockercise_prefect.runtime.files.shared_volumes import OutFile, SharedVolumes
from dockercise_prefect.runtime.network.slots import Lease, NetworkSlots, uses_bridge
from dockercise_prefect.runtime.stage.job import JobResult, Stdout
from dockercise_prefect.runtime.stage.ports import Outputs

OUT: Final = "/out"

SMALL: Final = 1 << 20
"""Bytes that are written to the volume of a slot. More is put into a volume that stages share."""


@dataclass(frozen=True, slots=True)
class OutFolders:
    """Makes them for the stages of one run. Thread-safe.

    Small files go into the volume of the slot that the stage uses. All other stages that need the same attempts share a volume.

    Attributes:
        shared: makes the volumes that stages share.
        slots: of the run.
        image: returns the id of any image on the engine.
    """

    shared: SharedVolumes
    slots: NetworkSlots
    image: Callable[[], str]

    def prepare(self, stage: Stage, inputs: Mapping[StageName, JobResult], outputs: Outputs) -> None:
        """Make the volume, unless it will surely be that of a slot.

        Args:
            stage: will need it.
            inputs: what the stages that it needs left.
            outputs: has what these stages printed.

        Raises:
            EngineError: what one of them printed is lost, or the volume cannot be made.
        """
        if _has_out(stage, inputs) and not (uses_bridge(stage) and self.slots.are_expected and _are_small(inputs)):
            self._shared_by_stages(inputs, outputs)

    def mounts(
        self, stage: Stage, inputs: Mapping[StageName, JobResult], outputs: Outputs, lease: Lease
    ) -> tuple[ContainerMount, ...]:
        """The mount of the stage's container; none if the stage needs no others. `lease` is the network of the stage.

        Raises:
            EngineError: what one of the stages printed is lost, or the volume cannot be made.
        """
        if not _has_out(stage, inputs):
            return ()
        volume = lease.out(_contents(inputs, outputs)) if lease.slot is not None and _are_small(inputs) else None
        return (ContainerMount("volume", volume or self._shared_by_stages(inputs, outputs), OUT, read_only=True),)

    def _shared_by_stages(self, inputs: Mapping[StageName, JobResult], outputs: Outputs) -> str:
        files = {
            name: OutFile(result.attempt, printed.size, partial(outputs.open, printed))
            for name, result, printed in ((name, result, _printed(name, result)) for name, result in inputs.items())
        }
        return self.shared.out(files, self.image())


def _has_out(stage: Stage, inputs: Mapping[StageName, JobResult]) -> bool:
    return stage.starts_container and bool(inputs)


def _are_small(inputs: Mapping[StageName, JobResult]) -> bool:
    return sum(_printed(name, result).size for name, result in inputs.items()) <= SMALL


def _contents(inputs: Mapping[StageName, JobResult], outputs: Outputs) -> dict[str, bytes]:
    contents = {}
    for name, result in inputs.items():
        with outputs.open(_printed(name, result)) as printed:
            contents[name] = b"".join(printed.chunks())
    return contents


def _printed(stage: StageName, result: JobResult) -> Stdout:
    if result.stdout is None:
        raise EngineError(f"what {stage} printed is lost")
    return result.stdout
