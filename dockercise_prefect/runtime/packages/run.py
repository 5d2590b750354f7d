"""Runs a package: an image that prints a document and ends (LANGUAGE section 1, `subgraphs`)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.runtime.cleanup.labels import Labels, RunIdentity
from dockercise_prefect.runtime.cleanup.ownership import this_process
from dockercise_prefect.runtime.engine import ContainerSpec, ContainerVanishedError, Engine, ResolvedImage
from dockercise_prefect.runtime.output_sink import Channel
from dockercise_prefect.runtime.stage.outcome import Stop, judge
from dockercise_prefect.runtime.stage.running import Deadline, Running
from dockercise_prefect.status import StageStatus

GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL. A package has nothing to clean up."""

SAID_LINES = 3
SAID_CHARACTERS = 300
"""How many characters of a package's stderr a message shows, at most."""

_KEPT_OF_STDERR = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageLimits:
    """What a package may take.

    Attributes:
        seconds: the time that it may take. After that, it is stopped.
        output: bytes on its stdout. memory: bytes, swap included.
    """

    output: int
    seconds: float = 60
    memory: int = 512 * 1024 * 1024


class PackageFailedError(DockerciseError):
    """The package ran, but gave no document. The message continues a text that begins with the package's name."""


def run_package(engine: Engine, image: ResolvedImage, limits: PackageLimits, notify: Callable[[str], None]) -> bytes:
    """Run the image's own command, once, and return what it prints on stdout.

    It gets nothing: no network, no mounts, no variables except the image's own, and an empty standard input. The container has
    the labels of a run, so that the next run on that engine removes it if this process is killed.

    Args:
        engine: where the image is.
        image: the package.
        limits: of the package.
        notify: called if the engine refuses to stop the package.

    Raises:
        PackageFailedError: the package failed, exceeded a limit, or has nothing to run.
        EngineError: the package could not be run.
    """
    if not image.command:
        raise PackageFailedError("has no command that could print a document", 'give it one: `CMD ["cat", "/dockercise.yaml"]`')
    labels = Labels(RunIdentity(f"package-{secrets.token_hex(4)}", image.ref, ""), str(this_process(engine)))
    running = Running(notify)
    container = engine.create(
        ContainerSpec(
            name=labels.name("package"),
            image=image.id,
            command=image.command,
            labels=labels.of_run(),
            working_dir="",  # the image's own
            memory=limits.memory,
        )
    )
    try:
        with running.watch(partial(engine.stop, container), Deadline(limits.seconds), GRACE) as watch:
            printed = _Printed(limits.output, lambda stop: running.end(watch, stop))
            state = engine.run(container, b"", printed)
            verdict = judge(state, stop=printed.too_much or watch.stop, never_fail=False, answers=False)
    except ContainerVanishedError as error:
        raise PackageFailedError("failed: it was removed while it was running", error.hint) from error
    finally:
        engine.remove(container)
    if not verdict.status.succeeded:
        why = (verdict.message or verdict.status).replace("\n", ": ")
        raise PackageFailedError(f"failed: {why}{printed.said()}")
    return bytes(printed.stdout)


class _Printed:
    """Takes a container's output (`engine.OutputSink`): all of stdout up to a bound, the beginning of stderr."""

    def __init__(self, bound: int, give_up: Callable[[Stop], None]) -> None:
        self.stdout = bytearray()
        self._stderr = bytearray()
        self._bound = bound
        self._give_up = give_up
        self.too_much: Stop | None = None

    def __call__(self, channel: Channel, chunk: bytes) -> None:
        """Take one chunk."""
        if channel == "stderr":
            self._stderr += chunk[: _KEPT_OF_STDERR - len(self._stderr)]
        elif len(self.stdout) + len(chunk) <= self._bound:
            self.stdout += chunk
        elif self.too_much is None:
            self.too_much = Stop(StageStatus.FAILED, f"it printed more than the {self._bound:,} bytes that are read")
            self._give_up(self.too_much)

    def said(self) -> str:
        """The first lines of stderr, to be added to the end of a message; empty if nothing was written to stderr."""
        lines = [line.strip() for line in self._stderr.decode("utf-8", "replace").splitlines() if line.strip()]
        text = " / ".join(lines[:SAID_LINES])
        if len(text) > SAID_CHARACTERS:
            text = text[:SAID_CHARACTERS] + "…"
        return f", and said: {text}" if text else ""
