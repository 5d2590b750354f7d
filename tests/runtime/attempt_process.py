"""Attempts in processes of their own, which get a job as JSON and the addresses of the ports, and nothing else.

Each process is forked from a process that has only imported this module, because the import takes a second.
"""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from signal import Signals
from typing import Any, cast

from dockercise_prefect.runtime.attempts import AttemptLostError
from dockercise_prefect.runtime.concurrent import Background
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.engine import Engine, Progress, ResolvedImage
from dockercise_prefect.runtime.files.output import Printed
from dockercise_prefect.runtime.image_build import BuildEnd, BuildSpec, ImageBuild
from dockercise_prefect.runtime.output_sink import Channel, OutputSink
from dockercise_prefect.runtime.stage.attempt import run_attempt
from dockercise_prefect.runtime.stage.job import Job, JobResult, Stdout
from dockercise_prefect.runtime.stage.outcome import Stop
from dockercise_prefect.runtime.stage.ports import OutputWriter, Ports
from dockercise_prefect.runtime.stage.running import Running
from tests.engines.scripted import ScriptedEngine
from tests.runtime.port_line import Function, Pieces, PortLine, call

THROUGH_PORTS = "ports"
"""The address of an engine that is reached through the ports."""


FRESH = multiprocessing.get_context("forkserver")
FRESH.set_forkserver_preload([__name__])


def in_a_process(job: Job, ports: Ports, started: Callable[[BaseProcess], object] = id) -> JobResult:
    """Make the attempt in a fresh process (`workspace.RunAttempt`).

    Raises:
        AttemptLostError: the process ended without a result.
    """
    engine = THROUGH_PORTS if isinstance(ports.engine, ScriptedEngine) else ports.engine.info().url
    with tempfile.TemporaryDirectory() as folder:
        address, result = f"{folder}/ports", Path(folder, "result")
        with closing(_Ports(ports)) as near, closing(PortLine(address, near)):
            process = FRESH.Process(target=main, args=(job.to_json(), address, engine, str(result)))
            process.start()
            with ports.running.watch(near.stop, None, job.stage.stop_grace) as watch:
                near.stopped = watch
                started(process)
                process.join()
        status = process.exitcode or 0
        if status != 0:
            how = f"was ended by {Signals(-status).name}" if status < 0 else "failed"
            raise AttemptLostError(f"the process of the attempt {how}")
        return JobResult.from_json(result.read_text(encoding="utf-8"))


class _Ports:
    """The ports of an attempt, as methods that another process can call."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._opened: dict[int, Any] = {}
        self._numbers = itertools.count(1)
        self._stack = ExitStack()
        self._changed = threading.Condition()
        self._grace: float | None = None
        self._ended = False
        self.stopped: Any = None

    def close(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._stack.close()

    def stop(self, grace: float) -> None:
        """Ask the attempt to end, and wake the calls of `next_stop`."""
        with self._changed:
            self._grace = grace if self._grace is None else min(grace, self._grace)
            self._changed.notify_all()

    def next_stop(self, grace: float | None) -> tuple[Stop, float] | None:
        """Wait until the attempt must end with another grace than this. Return why, and the grace; None when it has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._grace != grace)
            if self._ended or self._grace is None:
                return None
            return self.stopped.stop, self._grace

    def texts(self, stage: str) -> Mapping[str, str]:
        return dict(self._ports.texts.of(stage))

    def sink(self, channel: Channel, chunk: bytes) -> None:
        self._ports.sink(channel, chunk)

    def beside(self, service: str, channel: Channel, chunk: bytes) -> None:
        self._ports.beside(service)(channel, chunk)

    def mask_open(self) -> int:
        return self._keep(self._ports.masker.stream())

    def mask_feed(self, number: int, chunk: bytes) -> bytes:
        return cast("bytes", self._opened[number].feed(chunk))

    def mask_flush(self, number: int) -> bytes:
        return cast("bytes", self._opened[number].flush())

    def output_open(self, stage: str) -> int:
        return self._keep(self._ports.outputs.writer(stage))

    def output_write(self, number: int, chunk: bytes) -> None:
        self._opened[number].write(chunk)

    def output_close(self, number: int) -> Stdout:
        return cast("Stdout", self._opened[number].close())

    def printed_open(self, stdout: Stdout) -> tuple[int, int]:
        printed = self._stack.enter_context(self._ports.outputs.open(stdout))
        return self._keep(printed), printed.size

    def printed_read(self, number: int, offset: int, size: int) -> bytes:
        return cast("bytes", self._opened[number].read(offset, size))

    def engine(self, method: str, *arguments: Any) -> Any:
        return getattr(self._ports.engine, method)(*arguments)

    def engine_resolve(self, ref: str, pull: Any, platform: str | None, progress: Progress) -> ResolvedImage:
        return self._ports.engine.resolve_image(ref, pull=pull, platform=platform, progress=progress)

    def engine_build(self, number: int, spec: BuildSpec, context: Iterable[bytes], sink: OutputSink) -> BuildEnd:
        self._opened[-number] = build = self._ports.engine.build(spec, context)
        return build.run(sink)

    def engine_build_stop(self, number: int) -> None:
        if -number in self._opened:
            self._opened[-number].stop()

    def _keep(self, thing: object) -> int:
        number = next(self._numbers)
        self._opened[number] = thing
        return number


class _Engine:
    """The engine behind the ports (`engine.Engine`), as far as attempts use it."""

    def __init__(self, address: str) -> None:
        self._call = partial(call, address)
        self._numbers = itertools.count(1)

    def __getattr__(self, method: str) -> Callable[..., Any]:
        return lambda *arguments: self._call("engine", method, *arguments)

    def resolve_image(self, ref: str, *, pull: Any, platform: str | None, progress: Progress) -> ResolvedImage:
        return cast("ResolvedImage", self._call("engine_resolve", ref, pull, platform, Function(), function=progress))

    def run(self, container: str, stdin: bytes, sink: OutputSink) -> Any:
        return self._call("engine", "run", container, stdin, Function(), function=sink)

    def put(self, container: str, path: str, tar: Iterable[bytes]) -> None:
        self._call("engine", "put", container, path, Pieces(), pieces=tar)

    def build(self, spec: BuildSpec, context: Iterable[bytes]) -> ImageBuild:
        return _Build(self._call, next(self._numbers), spec, context)


class _Build:
    def __init__(self, asked: Callable[..., Any], number: int, spec: BuildSpec, context: Iterable[bytes]) -> None:
        self._call = asked
        self._number = number
        self._spec = spec
        self._context = context

    def run(self, sink: OutputSink) -> BuildEnd:
        arguments = (self._number, self._spec, Pieces(), Function())
        return cast("BuildEnd", self._call("engine_build", *arguments, pieces=self._context, function=sink))

    def stop(self) -> None:
        self._call("engine_build_stop", self._number)


class _Texts:
    def __init__(self, address: str) -> None:
        self._call = partial(call, address)

    def of(self, stage: str) -> Mapping[str, str]:
        return cast("Mapping[str, str]", self._call("texts", stage))


class _Masker:
    def __init__(self, address: str) -> None:
        self._call = partial(call, address)

    def stream(self) -> _MaskedStream:
        return _MaskedStream(self._call)


class _MaskedStream:
    def __init__(self, asked: Callable[..., Any]) -> None:
        self._call = asked
        self._number = asked("mask_open")

    def feed(self, chunk: bytes) -> bytes:
        return cast("bytes", self._call("mask_feed", self._number, chunk))

    def flush(self) -> bytes:
        return cast("bytes", self._call("mask_flush", self._number))


class _Outputs:
    def __init__(self, address: str) -> None:
        self._call = partial(call, address)

    def writer(self, stage: str) -> OutputWriter:
        return _OutputWriter(self._call, stage)

    @contextmanager
    def open(self, stdout: Stdout) -> Iterator[Printed]:
        number, size = self._call("printed_open", stdout)
        yield Printed(size, lambda offset, length: cast("bytes", self._call("printed_read", number, offset, length)))


class _OutputWriter:
    def __init__(self, asked: Callable[..., Any], stage: str) -> None:
        self._call = asked
        self._number = asked("output_open", stage)

    def write(self, chunk: bytes) -> None:
        self._call("output_write", self._number, chunk)

    def close(self) -> Stdout:
        return cast("Stdout", self._call("output_close", self._number))


def _follow(address: str, running: Running) -> None:
    """Stop when the run stops."""
    grace: float | None = None
    while (told := call(address, "next_stop", grace)) is not None:
        stop, grace = told
        running.cancel(stop) if grace > 0 else running.kill(stop)


def main(text: str, address: str, engine_address: str, result_path: str) -> None:
    """Read a job, make the attempt, write its result."""
    job = Job.from_json(text)
    background = Background()
    with ExitStack() as stack:
        if engine_address == THROUGH_PORTS:
            engine = cast("Engine", _Engine(address))
        else:
            os.environ["DOCKER_HOST"] = engine_address
            engine = stack.enter_context(closing(DockerEngine.connect()))
        running = Running(logging.warning)
        threading.Thread(target=_follow, args=(address, running), daemon=True).start()
        ports = Ports(
            engine=engine,
            texts=_Texts(address),
            masker=_Masker(address),
            outputs=_Outputs(address),
            sink=partial(call, address, "sink"),
            beside=lambda service: partial(call, address, "beside", service),
            running=running,
            later=background.do,
        )
        result = run_attempt(job, ports)
        background.close()
    Path(result_path).write_text(result.to_json(), encoding="utf-8")
