"""The stages that were running when the process of their run died: they are ended, and get a result.

A clean-up stage goes on by itself. If it has not run yet, or is to be run again because it has failed, it gets no result here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from hashlib import file_digest

from dockercise_prefect.archives.content_digest import digest_text
from dockercise_prefect.errors import DockerciseError, EngineError
from dockercise_prefect.orchestration.crash.left_run import LeftRun
from dockercise_prefect.orchestration.run.phases import Resolved
from dockercise_prefect.orchestration.scheduling.retrying import delay_before_retry
from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.quantities import shown_seconds
from dockercise_prefect.results.record.file_names import output_file
from dockercise_prefect.runtime.cleanup.labels import ATTEMPT, ITSELF, OVERLAY, STAGE, RunIdentity
from dockercise_prefect.runtime.concurrent import run_each
from dockercise_prefect.runtime.engine import Engine, ExitState, Leftover
from dockercise_prefect.runtime.output_sink import Channel, OutputSink
from dockercise_prefect.runtime.stage.boot import LOST_INPUT
from dockercise_prefect.runtime.stage.job import JobResult, OwnVolume, Stdout
from dockercise_prefect.runtime.stage.outcome import Stop, Verdict, judge
from dockercise_prefect.runtime.stage.running import ASK_AGAIN
from dockercise_prefect.status import StageStatus

GAP = b"[the process of the run died here, and what the stage printed until another one went on is lost]\n"
"""Written into the log of a stage. The engine keeps no logs."""


@dataclass(frozen=True, kw_only=True)
class Interrupted:
    """Ends the stages of one run that were running.

    Attributes:
        engine: where they run.
        run: the run, as it is continued here.
        left: what its process has left.
        identity: of the run.
        stop: how ordinary stages end.
    """

    engine: Engine
    run: Resolved
    left: LeftRun
    identity: RunIdentity
    stop: Stop

    def end(self) -> dict[StageName, JobResult]:
        """End all of them at once: ordinary stages with their grace periods, clean-up stages by themselves.

        Returns:
            The results, without those of clean-up stages that are still to be run.

        Raises:
            EngineError: the engine does not answer.
        """
        things = [each for each in self.engine.leftovers() if self.identity.owns(each.labels) and ITSELF in each.labels]
        names = self.left.interrupted
        stages = [self.run.pipeline.find(name) for name in names]
        found = run_each(partial(self._ended, things), stages, at_once=max(1, len(stages)))
        failures = [each for each in found if isinstance(each, DockerciseError)]
        if failures:
            raise failures[0]
        return {each.stage: each for each in found if isinstance(each, JobResult)}

    def _ended(self, things: list[Leftover], stage: Stage) -> JobResult | None:
        known = self.left.results.get(stage.name)
        if known is not None:  # the process died before the record said so
            return known
        attempt, container, volume = _newest(things, stage.name)
        verdict = self._verdict(stage, container)
        if verdict is None:
            return None
        summary = self.left.stages[stage.name]
        result = JobResult(
            stage=stage.name,
            attempt=attempt,
            status=verdict.status,
            exit_code=verdict.exit_code,
            message=verdict.message,
            out_of_memory=verdict.out_of_memory,
            started=datetime.fromisoformat(summary.started) if summary.started else datetime.now(UTC),
            finished=datetime.now(UTC),
            stdout=self._printed(stage),
            volume=None if volume is None else OwnVolume(volume.id, written=True, changes=_changes(volume)),
            container=container,
        )
        return None if stage.when.cleans_up and delay_before_retry(stage, result) is not None else result

    def _verdict(self, stage: Stage, container: str | None) -> Verdict | None:
        """How the stage has ended; None if it has not run yet, and is going to."""
        if stage.when.cleans_up:
            return None if container is None else self._judged(stage, container)
        stopped = Verdict(self.stop.status, None, self.stop.message)
        if container is None or self.engine.running(container) is None:
            return stopped
        state, _ = self._stopped(stage, container)
        return stopped if state is None else replace(stopped, exit_code=state.exit_code)

    def _judged(self, stage: Stage, container: str) -> Verdict | None:
        """Wait for a clean-up stage, at most as long as all clean-up may take. None if its script did not run.

        The process may have died after it started the container, and before it sent the variables.
        """
        grace = self.run.pipeline.cleanup_grace
        state, was_stopped = self._followed(stage, container, grace, stage.stop_grace)
        if state is None or (state.exit_code == LOST_INPUT and not was_stopped):
            return None
        late = Stop(StageStatus.CANCELLED, f"cancelled: the clean-up took longer than {shown_seconds(grace)}")
        answers = stage.declared_name in self.run.pipeline.answers
        return judge(state, stop=late if was_stopped else None, never_fail=stage.never_fail, answers=answers)

    def _stopped(self, stage: Stage, container: str) -> tuple[ExitState | None, bool]:
        """Stop an ordinary stage. It gets one SIGTERM, and its grace period counts from there."""
        if self.left.cancelled_at is None:
            return self._followed(stage, container, 0, stage.stop_grace)
        since = (datetime.now(UTC) - self.left.cancelled_at).total_seconds()
        return self._followed(stage, container, max(0.0, stage.stop_grace - since), 0)

    def _followed(self, stage: Stage, container: str, seconds: float, grace: float) -> tuple[ExitState | None, bool]:
        """Wait for the end of a stage. After so many seconds it is stopped, with a grace period.

        Returns:
            How its container ended; None if it was never started. And whether it was stopped.
        """
        if self.engine.running(container) is None:
            return self.engine.follow(container, lambda _channel, _chunk: None), False
        ended, stopped = threading.Event(), threading.Event()

        def stop() -> None:
            pause = seconds
            while not ended.wait(pause):
                pause = ASK_AGAIN
                stopped.set()
                with suppress(EngineError):  # then it is tried again
                    self.engine.stop(container, grace)

        threading.Thread(target=stop, name=f"stop {stage.name}", daemon=True).start()
        try:
            with self._output(stage) as sink:
                return self.engine.follow(container, sink), stopped.is_set()
        finally:
            ended.set()

    @contextmanager
    def _output(self, stage: Stage) -> Iterator[OutputSink]:
        """A sink that continues the log and the stdout of a stage in the record."""
        masked = {channel: self.run.secrecy.masker.stream() for channel in ("stdout", "stderr")}
        path = self.run.store.folder / output_file(stage.name)
        with closing(self.run.record.log(stage)) as log:
            log.write(GAP)

            def take(channel: Channel, chunk: bytes) -> None:
                log.write(masked[channel].feed(chunk))
                if channel == "stdout" and path.exists():
                    with path.open("ab") as stdout:
                        stdout.write(chunk)

            yield take
            for stream in masked.values():
                log.write(stream.flush())

    def _printed(self, stage: Stage) -> Stdout:
        """What it has printed, as far as the record may have it."""
        name = output_file(stage.name)
        path = self.run.store.folder / name
        if self.run.secrecy.because(stage) or not path.exists():
            return Stdout(0, None)
        with path.open("rb") as file:
            digest = digest_text(file_digest(file, "sha256").digest())
        return Stdout(path.stat().st_size, digest, file=name)


def _newest(things: list[Leftover], stage: StageName) -> tuple[int, str | None, Leftover | None]:
    """The number of the last attempt at a stage, its container and its volume."""
    mine = [each for each in things if each.labels.get(STAGE) == stage]
    attempt = max((int(each.labels[ATTEMPT]) for each in mine if each.labels.get(ATTEMPT, "").isdecimal()), default=1)
    of_attempt = {each.kind: each for each in mine if each.labels.get(ATTEMPT) == str(attempt)}
    container = of_attempt.get("container")
    return attempt, None if container is None else container.id, of_attempt.get("volume")


def _changes(volume: Leftover) -> str | None:
    """The volume with the changes, for a copy by an overlay."""
    _, _, changes = volume.labels.get(OVERLAY, "").partition(" ")
    return changes or None
