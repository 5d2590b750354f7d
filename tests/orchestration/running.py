"""Runs on a scripted engine, as the command starts them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.orchestration.run.events import Event
from dockercise_prefect.orchestration.run.failure import RunFailedError
from dockercise_prefect.pipeline import Stage, stage
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.status import StageStatus
from tests.engines.scripted import BUSYBOX


@dataclass
class Ran:
    """The result of a run."""

    summary: RunSummary
    failure: RunFailedError | None
    events: list[Event]

    @property
    def exit_status(self) -> int:
        """The exit status that the command would have."""
        return self.failure.exit_status if self.failure else ExitStatus.DONE

    @property
    def statuses(self) -> dict[str, StageStatus]:
        """The status of each stage."""
        return {name: entry.status for name, entry in self.summary.stages.items()}

    @property
    def folder(self) -> Path:
        """The folder of the record."""
        return Path(urlsplit(self.summary.results or "").path)


RunIt = Callable[..., Ran]


def sh(name: str, script: str, **keys: object) -> Stage:
    """A stage of the image that both engines have."""
    return stage(name, image=BUSYBOX, run=script, **keys)  # type: ignore[arg-type]  # free keywords
