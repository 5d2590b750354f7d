"""The stages that were running when the process of their run died: they are ended, and get a result."""

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
from dockercise_prefect.pipeline import Stage, StageName
from dockercise_prefect.results.record.file_names import output_file
from dockercise_prefect.runtime.cleanup.labels import ATTEMPT, ITSELF, STAGE, RunIdentity
from dockercise_prefect.runtime.concurrent import run_each
from dockercise_prefect.runtime.engine import Channel, Engine, ExitState, Leftover, OutputSink
from dockercise_prefect.runtime.stage.job import JobResult, OwnVolume, Stdout
from dockercise_prefect.runtime.stage.outcome import Stop, Verdict, judge
from dockercise_prefect.runtime.stage.running import ASK_AGAIN

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

        Raises:
            EngineError: the engine does not answer.
        """
        things = [each for each in self.engine.leftovers() if self.identity.owns(each.labels) and ITSELF in each.labels]
        names = self.left.interrupted
        stages = [self.run.pipeline.by_name[name] for name in names]
        found = run_each(partial(self._ended, things), stages, at_once=max(1, len(stages)))
        failures = [each for each in found if isinstance(each, DockerciseError)]
        if failures:
            raise failures[0]
        return {each.stage: each for each in found if isinstance(each, JobResult)}

    def _ended(self, things: list[Leftover], stage: Stage) -> JobResult:
        known = self.left.results.get(stage.name)
        if known is not None:  # the process died before the record said so
            return known
        attempt, container, volume = _newest(things, stage.name)
        verdict = self._verdict(stage, container)
        summary = self.left.stages[stage.name]
        return JobResult(
            stage=stage.name,
            attempt=attempt,
            status=verdict.status,
            exit_code=verdict.exit_code,
            message=verdict.message,
            started=datetime.fromisoformat(summary.started) if summary.started else datetime.now(UTC),
            finished=datetime.now(UTC),
            stdout=self._printed(stage),
            volume=None if volume is None else OwnVolume(volume, written=True),
            container=container,
        )

    def _verdict(self, stage: Stage, container: str | None) -> Verdict:
        stopped = Verdict(self.stop.status, None, self.stop.message)
        if container is None or self.engine.running(container) is None:
            return stopped
        if stage.when.cleans_up:
            state = self._followed(stage, container, self.run.pipeline.cleanup_grace, stage.stop_grace)
            return judge(state, stop=None, never_fail=stage.never_fail, answers=False)
        return replace(stopped, exit_code=self._stopped(stage, container).exit_code)

    def _stopped(self, stage: Stage, container: str) -> ExitState:
        """Stop an ordinary stage. It gets one SIGTERM, and its grace period counts from there."""
        if self.left.cancelled_at is None:
            return self._followed(stage, container, 0, stage.stop_grace)
        since = (datetime.now(UTC) - self.left.cancelled_at).total_seconds()
        return self._followed(stage, container, max(0.0, stage.stop_grace - since), 0)

    def _followed(self, stage: Stage, container: str, seconds: float, grace: float) -> ExitState:
        """Wait for the end of a stage. After so many seconds it is stopped, with a grace period."""
        ended = threading.Event()

        def stop() -> None:
            pause = seconds
            while not ended.wait(pause):
                pause = ASK_AGAIN
                with suppress(EngineError):  # then it is tried again
                    self.engine.stop(container, grace)

        threading.Thread(target=stop, name=f"stop {stage.name}", daemon=True).start()
        try:
            with self._output(stage) as sink:
                return self.engine.follow(container, sink)
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


def _newest(things: list[Leftover], stage: StageName) -> tuple[int, str | None, str | None]:
    """The number of the last attempt at a stage, its container and its volume."""
    mine = [each for each in things if each.labels.get(STAGE) == stage]
    attempt = max((int(each.labels[ATTEMPT]) for each in mine if each.labels.get(ATTEMPT, "").isdecimal()), default=1)
    of_attempt = {each.kind: each.id for each in mine if each.labels.get(ATTEMPT) == str(attempt)}
    return attempt, of_attempt.get("container"), of_attempt.get("volume")
