"""A container of the scripted engine: its file system, and how it behaves when it runs."""

from __future__ import annotations

import posixpath
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.engine import ContainerMount, ContainerSpec, ExitState
from dockercise_prefect.runtime.output_sink import OutputSink
from dockercise_prefect.runtime.overlay import Overlay
from dockercise_prefect.runtime.service_engine import Executed
from tests.engines.files import Entry, Tree
from tests.engines.kernel import ORIGINAL, Kernel, PlayedHolder

SIGKILLED = 137
SIGTERMED = 143

_IMAGE_FOLDERS = ("bin", "dev", "etc", "home", "root", "tmp", "usr", "var")


class ContractBreachError(AssertionError):
    """The code under test used the engine in a way that its contract does not allow."""


class ReadOnlyError(Exception):
    """A path is mounted read-only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a container does when it runs.

    Attributes:
        stdout, stderr: its output, stdout first.
        writes: absolute path to content, written before it ends; raises if the path is read-only.
        start_error: it cannot be started, and the engine records `exit_code` (126 or 127).
        blocks: it runs until it is stopped, removed, or told to `finish`.
        ignores_sigterm: only the end of the grace stops it.
        vanishes: somebody removes it while it runs.
        engine_dies: the engine goes away while it runs.
        action: further work with the container's files and standard input; called before it ends.
        answer: gives its answer to each line of a conversation.
        refused: the system calls that the kernel refuses to a container that keeps a network open.
    """

    stdout: bytes = b""
    stderr: bytes = b""
    exit_code: int = 0
    oom_killed: bool = False
    start_error: str | None = None
    writes: Mapping[str, bytes] = field(default_factory=dict)
    blocks: bool = False
    ignores_sigterm: bool = False
    vanishes: bool = False
    engine_dies: bool = False
    action: Callable[[ScriptedContainer], None] | None = None
    answer: Callable[[str], str] = lambda line: line
    refused: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume and its files. `overlay` says of what it is a copy, if it is one."""

    name: str
    labels: Mapping[str, str]
    tree: Tree
    overlay: Overlay | None = None


class ScriptedContainer:
    """One container; tests look at its files through `read` and `below`.

    Attributes:
        stdin: the input that it got when it ran.
        volumes: the volumes that it mounts, by name.
        ended: how it ended, None before.
        signals: the signals that it got.
    """

    def __init__(self, id_: str, spec: ContainerSpec, volumes: Mapping[str, Tree], image: Tree) -> None:
        self.id = id_
        self.spec = spec
        self.volumes = volumes
        self.stdin = b""
        self.behaviour = Behaviour()
        self.ended: ExitState | None = None
        self.started = False
        self.signals: list[str] = []
        self._own = image.copy()
        self._over = threading.Event()
        self._down = threading.Event()
        self._runner: int | None = None
        for folder in (*_IMAGE_FOLDERS, spec.working_dir.strip("/"), *(mount.target.strip("/") for mount in spec.mounts)):
            if folder and folder not in self._own.entries:
                self._own.write(folder, Entry("folder", 0o755))

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self.started and self.ended is None and not self._over.is_set()

    # Its files.

    @property
    def own_files(self) -> Tree:
        """The files that an image of it would contain, without mounts."""
        return self._own

    def read(self, path: str) -> bytes:
        """The content of a file.

        Raises:
            KeyError: the file does not exist.
        """
        tree, inner, _ = self._locate(path)
        return tree.entries[inner].data

    def entry(self, path: str) -> Entry | None:
        """What is at a path; None if there is nothing."""
        tree, inner, _ = self._locate(path)
        return tree.entries.get(inner)

    def below(self, path: str) -> Iterator[tuple[str, Entry]]:
        """Everything at and below an absolute path, including mounted volumes; names begin with the last part of the path."""
        path = posixpath.normpath(path)
        base = posixpath.dirname(path).rstrip("/") + "/"
        for name, entry in sorted(self._everything(path), key=lambda item: item[0].split("/")):
            yield name.removeprefix(base) or ".", entry

    def write(self, path: str, entry: Entry) -> None:
        """Put one entry at an absolute path.

        Raises:
            ReadOnlyError: it is mounted read-only.
        """
        tree, inner, mount = self._locate(path)
        if mount and mount.read_only:
            raise ReadOnlyError(f"{path} is mounted read-only")
        tree.write(inner, entry)

    def remove(self, path: str) -> None:
        """Remove the file at an absolute path.

        Raises:
            KeyError: the file does not exist.
        """
        tree, inner, _ = self._locate(path)
        del tree.entries[inner]

    def has_folder(self, path: str) -> bool:
        """Whether there is a folder at an absolute path."""
        tree, inner, _ = self._locate(path)
        return inner in tree.entries and tree.entries[inner].kind == "folder"

    # Its life.

    def start(self, stdin: bytes, behaviour: Behaviour) -> None:
        """Begin to run."""
        self.started, self.stdin, self.behaviour = True, stdin, behaviour

    def act(self, sink: OutputSink) -> int:
        """Do what the test has defined, and return the exit code."""
        self._runner = threading.get_ident()
        try:
            return self._act(self.behaviour, sink)
        finally:
            self._over.set()
            self._down.set()

    def _act(self, behaviour: Behaviour, sink: OutputSink) -> int:
        if behaviour.stdout:
            sink("stdout", behaviour.stdout)
        if behaviour.stderr:
            sink("stderr", behaviour.stderr)
        for path, content in behaviour.writes.items():
            self.write(path, Entry("file", 0o644, data=content))
        if behaviour.action:
            behaviour.action(self)
        if behaviour.blocks:
            self._over.wait()
        if "SIGKILL" in self.signals:
            return SIGKILLED
        return SIGTERMED if self.signals else behaviour.exit_code

    def stop(self, grace: float) -> None:
        """Send SIGTERM, and SIGKILL if that does not help; do nothing if it does not run."""
        if not self.running:
            return
        if grace > 0:
            self.signals.append("SIGTERM")
        if grace <= 0 or self.behaviour.ignores_sigterm:
            self.signals.append("SIGKILL")
        self.finish()

    def wait_for_end(self, patience: float) -> ExitState:
        """How it ended. Whoever runs it says so; nothing else does."""
        deadline = time.monotonic() + patience
        while self.ended is None:
            assert time.monotonic() < deadline, f"{self.spec.name} does not end"
            time.sleep(0.01)
        return self.ended

    def wait_until_down(self, patience: float) -> None:
        """Return when it has ended; return immediately if it does not run, and in its own `action`."""
        if self._runner not in {None, threading.get_ident()}:
            self._down.wait(patience)

    def execute(self, behaviour: Behaviour, patience: float) -> Executed:
        """Do what the test has defined for a command in it. The command ends with the container."""
        if behaviour.action:
            behaviour.action(self)
        if behaviour.blocks:
            self._over.wait(patience)
        return Executed(behaviour.exit_code, behaviour.stdout + behaviour.stderr)

    def finish(self) -> None:
        """Let a container that blocks continue to its end, as if by itself."""
        self._over.set()

    def _everything(self, path: str) -> Iterator[tuple[str, Entry]]:
        mounts = {mount.target: mount for mount in self.spec.mounts if mount.kind == "volume"}
        tree, inner, mount = self._locate(path)
        start = mount.target if mount else ""
        for name, entry in tree.below(inner):
            whole = f"{start}/{name}".rstrip("/")
            if whole not in mounts or (mount and whole == mount.target):
                yield whole, entry
        for target, nested in mounts.items():
            if target.startswith(f"{path.rstrip('/')}/"):
                for name, entry in self.volumes[nested.source].below(""):
                    yield f"{target}/{name}".rstrip("/"), entry

    def _locate(self, path: str) -> tuple[Tree, str, ContainerMount | None]:
        """The tree that has a path, the path in it, and the mount that it belongs to."""
        path = posixpath.normpath(f"/{path.lstrip('/')}")
        inside = [m for m in self.spec.mounts if path == m.target or path.startswith(f"{m.target}/")]
        mount = max(inside, key=lambda each: len(each.target), default=None)
        if mount is None or mount.kind == "host":
            return self._own, path.strip("/"), mount
        return self.volumes[mount.source], path[len(mount.target) :].strip("/"), mount


class _Files(MutableMapping[str, Entry]):
    """The files of a container, as its processes see them."""

    def __init__(self, container: ScriptedContainer) -> None:
        self._container = container

    def __getitem__(self, path: str) -> Entry:
        entry = self._container.entry(path)
        if entry is None:
            raise KeyError(path)
        return entry

    def __setitem__(self, path: str, entry: Entry) -> None:
        self._container.write(path, entry)

    def __delitem__(self, path: str) -> None:
        self._container.remove(path)

    def __iter__(self) -> Iterator[str]:
        return (f"/{name}" for name, _ in self._container.below("/"))

    def __len__(self) -> int:
        return len(list(iter(self)))


class ScriptedConversation:
    """A conversation whose answers the behaviour gives, or the program that keeps a network open."""

    def __init__(self, container: ScriptedContainer, alive: Callable[[], None]) -> None:
        self._container = container
        self._alive = alive
        files = _Files(container)
        files.update({path: Entry("file", 0o644, data=data) for path, data in ORIGINAL.items()})
        self._holder = PlayedHolder(Kernel(files, refuse=container.behaviour.refused))

    def ask(self, line: str) -> str:
        self._check()
        return self._container.behaviour.answer(line)

    def exchange(self, data: bytes, size: int) -> bytes:
        self._check()
        answer = self._holder.exchange(data)
        assert len(answer) == size
        return answer

    def _check(self) -> None:
        self._alive()
        if not self._container.running:
            raise EngineError(f"container {self._container.spec.name} has ended")

    def close(self) -> None:
        """End the container by the end of its input."""
        self._container.finish()
