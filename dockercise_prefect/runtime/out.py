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
        if _has_out(stage, inputs) and not (uses_bridge(stage) and self.slots.are_expected and _fit_in_slot(stage, inputs)):
            self._shared_by_stages(stage, inputs, outputs)

    def mounts(
        self, stage: Stage, inputs: Mapping[StageName, JobResult], outputs: Outputs, lease: Lease
    ) -> tuple[ContainerMount, ...]:
        """The mount of the stage's container; none if the stage needs no others. `lease` is the network of the stage.

        Raises:
            EngineError: what one of the stages printed is lost, or the volume cannot be made.
        """
        if not _has_out(stage, inputs):
            return ()
        is_small = lease.slot is not None and _fit_in_slot(stage, inputs)
        volume = lease.out(_contents(stage, inputs, outputs)) if is_small else None
        return (ContainerMount("volume", volume or self._shared_by_stages(stage, inputs, outputs), OUT, read_only=True),)

    def _shared_by_stages(self, stage: Stage, inputs: Mapping[StageName, JobResult], outputs: Outputs) -> str:
        paths = _paths(stage)
        files = {
            paths[name]: OutFile(name, result.attempt, printed.size, partial(outputs.open, printed))
            for name, result, printed in ((name, result, _printed(name, result)) for name, result in inputs.items())
        }
        return self.shared.out(files, self.image())


def _has_out(stage: Stage, inputs: Mapping[StageName, JobResult]) -> bool:
    return stage.starts_container and bool(inputs)


def _paths(stage: Stage) -> dict[StageName, str]:
    """For each stage that this one needs, the path of its file below `/out`."""
    return {edge.stage: edge.path for edge in stage.depends_on}


def _fit_in_slot(stage: Stage, inputs: Mapping[StageName, JobResult]) -> bool:
    """Whether the files are small, and none of them is in a folder: the volume of a slot has none."""
    if any("/" in path for path in _paths(stage).values()):
        return False
    return sum(_printed(name, result).size for name, result in inputs.items()) <= SMALL


def _contents(stage: Stage, inputs: Mapping[StageName, JobResult], outputs: Outputs) -> dict[str, bytes]:
    paths, contents = _paths(stage), {}
    for name, result in inputs.items():
        with outputs.open(_printed(name, result)) as printed:
            contents[paths[name]] = b"".join(printed.chunks())
    return contents


def _printed(stage: StageName, result: JobResult) -> Stdout:
    if result.stdout is None:
        raise EngineError(f"what {stage} printed is lost")
    return result.stdout
