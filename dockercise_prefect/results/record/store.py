"""The protocol of stores for the record of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import TypeAdapter

from dockercise_prefect.pipeline import StageName
from dockercise_prefect.results.places.objects import Objects
from dockercise_prefect.results.record.owner_mark import OwnerMark
from dockercise_prefect.results.summary import AttemptSummary, RunSummary, StageSummary
from dockercise_prefect.reuse.ingredients import Ingredients


@dataclass(frozen=True, slots=True)
class Kept:
    """What is stored of a stage besides its end.

    Attributes:
        value: its output, trimmed; None if there is no output that may be stored, or if it is too long.
        sensitive: why its output is sensitive; None if it is not.
        left_out: the parts that are not stored (`value`, `output` or `volume`), each with the reason.
        attempt: the number of the last attempt, from 1; None for a stage that has not ended, or never starts.
        earlier_attempts: the attempts before the last one.
        output_digest: the digest of its stdout, `sha256:…`; None if the output is not stored.
        volume_digest: the digest of the content of its volume (docs/digests.md); None if the volume is not stored.
        output_size: the bytes of its stdout; None if it did not end.
        made_from: what its last attempt was made from; None if that is not known, or not yet.
    """

    value: str | None = None
    sensitive: str | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    attempt: int | None = None
    earlier_attempts: Sequence[AttemptSummary] = ()
    output_digest: str | None = None
    volume_digest: str | None = None
    output_size: int | None = None
    made_from: Ingredients | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Kept:
        """Read what the object of a stage says besides the end of the stage.

        Raises:
            AttributeError, KeyError, TypeError, ValueError: the object is not the object of a stage.
        """
        return cls(
            value=data["value"],
            sensitive=data["sensitive_because"],
            left_out=dict(data["left_out"]),
            attempt=data["attempt"],
            earlier_attempts=_ATTEMPTS.validate_python(data["earlier_attempts"]),
            output_digest=data["output_digest"],
            volume_digest=data["volume_digest"],
            output_size=data.get("output_size"),
            made_from=None if data.get("made_from") is None else Ingredients.from_json(data["made_from"]),
        )


_ATTEMPTS = TypeAdapter(list[AttemptSummary])


class LogWriter(Protocol):
    """Receives the bytes that one stage prints, on both channels, unchanged and in order.

    Used by one thread. Readers of the log see written data immediately, while the stage runs. It is not lost if this process
    is killed. Neither method raises. If the log could not be written completely, `stage_ended` of its stage raises the error.
    """

    def write(self, chunk: bytes) -> None:
        """Append the chunk."""
        ...

    def close(self) -> None:
        """The output is complete. May be called again."""
        ...


class StdoutWriter(Protocol):
    """Receives the bytes that one stage prints on stdout, unchanged. Used by one thread.

    Readers on this machine see written data immediately, and it is not lost if this process is killed.

    Raises:
        StorageError: from every method: the output cannot be written.
    """

    @property
    def path(self) -> Path:
        """The path of the output on this machine, which is valid at least until the run is over."""
        ...

    def write(self, chunk: bytes) -> None:
        """Append the chunk."""
        ...

    def close(self) -> None:
        """The output is complete. May be called again."""
        ...


class RunStore(Protocol):
    """Stores the record of one run.

    The order of calls: `start` or `resume` once and first; `settle` and `finish` once and last; `leave` if one of these two
    failed.

    Between them, for each stage: `stage_started` and `log` at most once, `output` at most once for each attempt, and
    `stage_ended` at least once. For a stage that never starts, only `stage_ended` and `leave_volume_out`. `keep_volume` at most
    once for each stage, at any time. For a stage that other stages work on, one of the two is required, and not later than for
    those stages; `leave_volume_out` is also allowed after `keep_volume`. `bundle_outputs` and `keep_report` at most once, after
    the last stage has ended. Otherwise stages are independent: any thread may call methods for any stage at any time.

    Everything except logs and outputs is written completely or not at all, even if the process is killed, or if the machine
    loses power. The object of a stage that did not run, or not yet, can be empty if the machine loses power soon after. A later
    JSON object of a stage replaces the earlier one. Only the user can read the record.

    A stage that the index marks as sensitive gets no value in the record, even if a value is passed. A stage with
    `"no_log": true` gets no log either.

    Raises:
        StorageError: from every method except `log`: the data could not be stored. The message names the place. No
            half-written data is left.
    """

    @property
    def objects(self) -> Objects:
        """The place with the records of all runs, including this one."""
        ...

    @property
    def folder(self) -> Path:
        """The folder of the record on this machine, which exists at least until the run is over."""
        ...

    @property
    def url(self) -> str:
        """The absolute URL of the run's record, known before anything is written."""
        ...

    def link(self, name: str) -> str:
        """The address of a file of the record for a browser. The file need not exist yet."""
        ...

    def start(self, index: Mapping[str, Any], owner: OwnerMark | None = None) -> None:
        """Begin the record.

        Args:
            index: the pipeline as `pipeline.to_json` prints it.
            owner: the process of the run. If it dies, the record can be ended. None for a record that nobody has to end.

        Raises:
            UsageError: a stage's name cannot be the name of a file.
        """
        ...

    def resume(self, index: Mapping[str, Any]) -> None:
        """Go on with the record of a run whose process has died.

        Args:
            index: the content of `index.json`.

        Raises:
            StorageError: another process writes or sends the record.
        """
        ...

    def stage_started(self, name: str, summary: StageSummary) -> None:
        """The stage has started."""
        ...

    def log(self, name: str) -> LogWriter:
        """The writer for the stage's output. The caller closes it before `stage_ended`."""
        ...

    def output(self, name: str) -> StdoutWriter:
        """The writer for the stdout of an attempt, which replaces that of an earlier attempt.

        The caller closes it before `stage_ended`.
        """
        ...

    def when_log_is_kept(self, name: str, then: Callable[[str | None], None]) -> None:
        """Report which file of the record has the stage's log. Call this after the log was closed.

        Args:
            name: the stage.
            then: called with the name of the file when it is known, or with None if there is no log. It is called
                immediately, or later in another thread, but before `settle` returns. Must not raise.
        """
        ...

    def stage_ended(self, name: str, summary: StageSummary, kept: Kept) -> None:
        """The stage ended, or will never start. Called again when more is known about what is stored."""
        ...

    def keep_volume(self, name: str, files: Iterable[bytes]) -> StageName | None:
        """Store the stage's volume as `<stage>.tar.zst`, in bounded memory. Files that another volume also has are stored once.

        If the stage works `on` another stage, this waits until it is known whether that stage's volume is stored.

        Args:
            name: the stage.
            files: a tar stream whose paths begin with the stage's name. Its exceptions are passed on, and nothing is left.

        Returns:
            The stage whose archive contains the common files; None if this archive contains all files.
        """
        ...

    def keep_tests(self, name: str, tests: bytes) -> None:
        """Store the tests of the stage as `<stage>.tests.json`, before the `stage_ended` that counts them."""
        ...

    def leave_volume_out(self, name: str) -> None:
        """The stage's volume is not stored."""
        ...

    def bundle_outputs(self, stages: Iterable[StageName]) -> None:
        """Store the stdout of these stages, unchanged, as `out.zip`, with one entry for each stage, in bounded memory.

        Args:
            stages: the stages. Their `output` has been closed.
        """
        ...

    def keep_report(self, page: str) -> None:
        """Store the run's page as `report.html`."""
        ...

    def settle(self) -> None:
        """Wait until everything that was stored so far is in its place.

        Raises:
            StorageError: the data cannot reach its place. The message says where it is instead, and how to send it later.
        """
        ...

    def finish(self, summary: RunSummary) -> None:
        """The run is over. The record is finished when all of it is in its place."""
        ...

    def leave(self, summary: RunSummary) -> None:
        """The run is over, and `settle` or `finish` failed. Data that did not reach its place stays where it is."""
        ...
