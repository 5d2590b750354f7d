"""How tests drive containers on either engine."""

from __future__ import annotations

import io
import itertools
import os
import tarfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from dockercise_prefect.runtime.engine import ContainerSpec, Engine, ExitState, ResolvedImage
from dockercise_prefect.runtime.output_sink import Channel
from tests.engines.scripted import Behaviour, ScriptedEngine

_numbers = itertools.count(1)

PATIENCE = 120.0
"""A number of seconds after which a test fails instead of waiting for ever."""


def rehearse(engine: Engine, text: str, behaviour: Behaviour) -> None:
    """Tell the scripted engine what containers with `text` in their command do; the real engine runs the command."""
    if isinstance(engine, ScriptedEngine):
        engine.script(text, behaviour)


@dataclass(slots=True)
class Output:
    """The output of a container; a sink."""

    stdout: bytes = b""
    stderr: bytes = b""
    begun: threading.Event = field(default_factory=threading.Event)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, channel: Channel, chunk: bytes) -> None:
        """Take one chunk."""
        with self._changed:
            setattr(self, channel, getattr(self, channel) + chunk)
            self._changed.notify_all()
        self.begun.set()

    def said(self, text: bytes) -> bool:
        """Wait until a line of stderr is this text. Return False if it never comes."""
        with self._changed:
            return self._changed.wait_for(lambda: text in self.stderr.splitlines(keepends=True), PATIENCE)


def spec_of(image: ResolvedImage, labels: Mapping[str, str], *command: str, **further: Any) -> ContainerSpec:
    """A container with its own name; a single argument is a script for the shell."""
    words = command if len(command) > 1 else ("/bin/sh", "-c", *command)
    return ContainerSpec(
        name=f"dockercise-test-{os.getpid()}-{next(_numbers)}", image=image.id, command=words, labels=labels, **further
    )


@contextmanager
def container(engine: Engine, spec: ContainerSpec) -> Iterator[str]:
    """The id of a container that is removed at the end."""
    id_ = engine.create(spec)
    try:
        yield id_
    finally:
        engine.remove(id_)


def run(engine: Engine, spec: ContainerSpec, stdin: bytes = b"") -> tuple[ExitState, Output]:
    """Create, run and remove a container."""
    output = Output()
    with container(engine, spec) as id_:
        return engine.run(id_, stdin, output), output


@contextmanager
def running(engine: Engine, id_: str, stdin: bytes = b"") -> Iterator[Future[ExitState]]:
    """A container that runs in another thread: the block begins when it has printed something, and kills it at the end."""
    output = Output()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(engine.run, id_, stdin, output)
        try:
            assert output.begun.wait(PATIENCE), f"the container said nothing: {future}"
            yield future
        finally:
            engine.stop(id_, 0)


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A tar stream."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, *, mode: int = 0o644, owner: int = 0, link: str = "") -> tarfile.TarInfo:
    """The header of one entry."""
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.uid, info.gid, info.linkname, info.mtime = kind, mode, owner, owner, link, 1_000_000_000
    return info


def members_of(tar: Iterable[bytes]) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    """The entries of a tar stream by name, without a `/` at the end, and their contents."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(tar))) as archive:
        return {each.name.rstrip("/"): (each, _content(archive, each)) for each in archive}


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    content = archive.extractfile(info) if info.isreg() else None
    return content.read() if content else b""
