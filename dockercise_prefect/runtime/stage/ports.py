"""What an attempt needs besides its job, as protocols. Each may be implemented in another process than the attempt's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from dockercise_prefect.pipeline import StageName
from dockercise_prefect.runtime.engine import Engine
from dockercise_prefect.runtime.files.output import Printed
from dockercise_prefect.runtime.output_sink import OutputSink
from dockercise_prefect.runtime.stage.job import Stdout
from dockercise_prefect.runtime.stage.outcome import Stop
from dockercise_prefect.runtime.stage.running import Deadline, Ending, Watch


class Texts(Protocol):
    """Knows the texts of variables that are written in the pipeline or come from outside."""

    def of(self, stage: StageName) -> Mapping[str, str]:
        """All texts of one stage, by the names of the variables in its container, and the paths of its secret files."""
        ...


class MaskedStream(Protocol):
    """Masks text that comes in pieces."""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next piece, and return the text that can be shown now."""
        ...

    def flush(self) -> bytes:
        """End the text, and return the rest of what can be shown."""
        ...


class Masking(Protocol):
    """Knows what is sensitive."""

    def stream(self) -> MaskedStream:
        """A filter for the output of one channel."""
        ...


class OutputWriter(Protocol):
    """Takes what one attempt prints on stdout, byte for byte. Used by one thread."""

    def write(self, chunk: bytes) -> None:
        """Append.

        Raises:
            OSError, DockerciseError: it cannot be kept.
        """
        ...

    def close(self) -> Stdout:
        """End the output, and return where all of it is kept.

        Raises:
            OSError, DockerciseError: it cannot be kept.
        """
        ...


class Outputs(Protocol):
    """Keeps what stages print on stdout: in the run's record, or on the run's engine if the record may not have it."""

    def writer(self, stage: StageName) -> OutputWriter:
        """Where the stdout of an attempt at the stage goes."""
        ...

    def open(self, stdout: Stdout) -> AbstractContextManager[Printed]:
        """What an attempt printed.

        Raises:
            DockerciseError: the output is gone, or cannot be read.
        """
        ...


class Stopping(Protocol):
    """Knows whether the run is cancelled, and stops what the attempt runs (`running.Running`)."""

    @property
    def cancelled(self) -> Stop | None:
        """Why nothing may start any more; None while stages may start."""
        ...

    def refuse_when_cancelled(self) -> None:
        """Raise if the run is cancelled.

        Raises:
            EngineError: nothing may continue.
        """
        ...

    def watch(self, ending: Ending, deadline: Deadline | None, grace: float) -> AbstractContextManager[Watch]:
        """Watch a container or a build while it runs: it can be stopped, and it is stopped when its time is over."""
        ...

    def end(self, watch: Watch, stop: Stop) -> None:
        """Stop one container or build, with a grace period. Returns immediately."""
        ...


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Everything that an attempt uses.

    Attributes:
        engine: where the attempt runs.
        texts: the texts of its variables.
        masker: masks what it prints.
        outputs: keeps its stdout, and has the stdout of the stages that it needs.
        sink: gets what it prints on both channels while it runs, masked.
        beside: returns what gets the output of one of its services, masked.
        running: stops it.
        later: runs a task that nobody waits for, some time after the attempt.
    """

    engine: Engine
    texts: Texts
    masker: Masking
    outputs: Outputs
    sink: OutputSink
    beside: Callable[[str], OutputSink]
    running: Stopping
    later: Callable[[Callable[[], object]], None]
