"""What keeps the record of a run, as a protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.places.objects import Objects
from dockercise_prefect.results.summary import RunSummary, StageSummary


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a stage besides how it ended.

    Attributes:
        value: what it printed, trimmed; None when it printed nothing that may be kept, or too much of it.
        sensitive: why its output is sensitive, None when it is not.
        left_out: what is not kept, `value`, `output` or `volume`, and why.
        attempt: which attempt at the stage it was, from 1 on; None for one that has not ended, or never starts.
        output_digest: of what it printed on stdout, `sha256:…`; None when that is not kept.
        volume_digest: of what its volume holds (docs/digests.md); None when that is not kept.
    """

    value: str | None = None
    sensitive: str | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    attempt: int | None = None
    output_digest: str | None = None
    volume_digest: str | None = None


class LogWriter(Protocol):
    """Takes what one stage prints, both channels, byte for byte and in order.

    Used by one thread. What was written is there at once for whoever reads the log while the stage runs, and stays when this
    process is killed. Neither method raises: a log that could not be written whole fails its stage's `stage_ended`.
    """

    def write(self, chunk: bytes) -> None:
        """Append."""
        ...

    def close(self) -> None:
        """No more follows; may be called again."""
        ...


class StdoutWriter(Protocol):
    """Takes what one stage prints on stdout, byte for byte. Used by one thread.

    What was written is there at once for whoever reads it on this machine, and stays when this process is killed.

    Raises:
        StorageError: from every method: it cannot be written.
    """

    @property
    def path(self) -> Path:
        """Where it is on this machine, at least until the run is over."""
        ...

    def write(self, chunk: bytes) -> None:
        """Append."""
        ...

    def close(self) -> None:
        """No more follows; may be called again."""
        ...


class RunStore(Protocol):
    """Keeps the record of one run.

    Order: `start` once and first, `settle` and `finish` once and last, and `leave` where one of these failed. Between them, for
    each stage: `stage_started`, `log` and `output` at most once, `stage_ended` at least once; a stage that never starts has
    only this.
    `keep_volume` at most once for a stage and at any time, or `leave_volume_out`; one of both for a stage that others work on,
    and not later than for those. `bundle_outputs` and `keep_report` at most once, after the last stage has ended. Stages are
    independent otherwise: any thread may call for any of them at any time.

    Everything but logs and outputs appears whole or not at all, however the process ends; a later JSON object of a stage takes
    the place of the former. Nobody but the user can read any of it.

    A stage that the index marks as sensitive leaves no value, whatever is handed over; one with `"no_log": true` no log either.

    Raises:
        StorageError: from every method but `log`: it could not be kept; names the place. Nothing half-written is left.
    """

    @property
    def objects(self) -> Objects:
        """The place that holds the records of all runs, of which this is one."""
        ...

    @property
    def folder(self) -> Path:
        """Where the record is on this machine, at least until the run is over."""
        ...

    @property
    def url(self) -> str:
        """The absolute URL of the run's record, known before anything is written."""
        ...

    def link(self, name: str) -> str:
        """An address at which a browser finds a file of the record, whether it is there yet or not."""
        ...

    def start(self, index: Mapping[str, Any]) -> None:
        """Begin the record.

        Args:
            index: the pipeline as `pipeline.to_json` prints it.

        Raises:
            UsageError: a stage's name cannot name a file.
        """
        ...

    def stage_started(self, name: str, summary: StageSummary) -> None:
        """The stage runs."""
        ...

    def log(self, name: str) -> LogWriter:
        """Where the stage's output goes; the caller closes it before `stage_ended`."""
        ...

    def output(self, name: str) -> StdoutWriter:
        """Where the stage's stdout goes; the caller closes it before `stage_ended`."""
        ...

    def when_log_is_kept(self, name: str, then: Callable[[str | None], None]) -> None:
        """Say which file of the record has the stage's log; to be asked once the log was closed.

        Args:
            name: the stage.
            then: is given the file's name as soon as it is known, None where there is no log: at once, or later in another
                thread, but before `settle` returns. Must not raise.
        """
        ...

    def stage_ended(self, name: str, summary: StageSummary, kept: Kept) -> None:
        """The stage ended, or will never start; said again when more is known of what is kept."""
        ...

    def keep_volume(self, name: str, files: Iterable[bytes]) -> StageName | None:
        """Keep the stage's volume as `<stage>.tar.zst`, in bounded memory; what another volume of the run has, only once.

        A stage that works `on` another waits here until it is known whether that one's volume is kept.

        Args:
            name: the stage.
            files: a tar stream whose paths begin with the stage's name. What it raises comes out here, and nothing is left.

        Returns:
            The stage whose archive holds the files that both have; None where this one holds all.
        """
        ...

    def leave_volume_out(self, name: str) -> None:
        """The stage's volume is not kept."""
        ...

    def bundle_outputs(self, stages: Iterable[StageName]) -> None:
        """Keep what these stages printed on stdout as `out.zip`, one entry a stage, byte for byte, in bounded memory.

        Args:
            stages: whose `output` was closed.
        """
        ...

    def keep_report(self, page: str) -> None:
        """Keep the run's page as `report.html`."""
        ...

    def settle(self) -> None:
        """Wait until all that was kept so far is in its place.

        Raises:
            StorageError: it cannot get there; says where it is kept instead, and how it gets there later.
        """
        ...

    def finish(self, summary: RunSummary) -> None:
        """The run is over, and so is the record once all of it is in its place."""
        ...

    def leave(self, summary: RunSummary) -> None:
        """The run is over, after `settle` or `finish` failed: what did not get to its place stays where it is kept."""
        ...
