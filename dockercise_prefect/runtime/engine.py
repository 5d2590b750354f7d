"""The protocol of what runs containers: the Docker engine in production, a scripted one for speed and faults in tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from dockercise_prefect.errors import DockerciseError, EngineError, ExitStatus
from dockercise_prefect.pipeline import PullPolicy
from dockercise_prefect.runtime.conversation import Conversation
from dockercise_prefect.runtime.image_build import BuildSpec, ImageBuild
from dockercise_prefect.runtime.output_sink import OutputSink
from dockercise_prefect.runtime.overlay import Overlay, OverlayFacts
from dockercise_prefect.runtime.service_engine import ServiceEngine

Progress: TypeAlias = Callable[[str], None]
"""Gets a line that says what takes so long, for example the pull of an image."""

KILLED = 137
"""The exit code of a process that was ended by SIGKILL: 128 and the number of the signal."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """The engine that answered.

    Attributes:
        url: where it is, for people.
        has_init: whether it can put an init process in front of a script.
        machine: the processor as engines call it, for example `amd64`.
        overlays: whether it may be able to have overlays.
        processors: how many it has; 1 if it does not say.
    """

    version: str
    url: str
    has_init: bool
    machine: str
    overlays: OverlayFacts
    processors: int


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """An image on the engine. It stays the same for a whole run.

    Attributes:
        id: what containers are created from, `sha256:…`.
        digest: what the results record: the repository digest if there is one, else the id.
        user: the image's own user; empty for root.
        command: its entrypoint and command, joined.
        entrypoint: its entrypoint alone.
        platform: what it runs on, such as `linux/amd64`. The repository digest can be that of images for several platforms.
        health_check: a command that succeeds when a container of it works; empty if it has none.
    """

    ref: str
    id: str
    digest: str
    user: str
    command: tuple[str, ...]
    platform: str = ""
    entrypoint: tuple[str, ...] = ()
    health_check: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerMount:
    """A volume of the engine (`volume`) or a folder of its machine (`host`) at `target`.

    A volume starts empty: nothing of the image is copied into it.
    """

    kind: Literal["volume", "host"]
    source: str
    target: str
    read_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """One container to create, in our own terms. `docker.arguments` turns it into the SDK's terms.

    Attributes:
        command: replaces the image's entrypoint and command.
        env: stored in the container's configuration, so never a secret.
        working_dir: empty for that of the image.
        network: `bridge`, `none`, `host`, `container:<id>`, or the name of a network. `aliases`: its names there.
        sysctls: kernel settings of the container's own network namespace.
        cpus: processors. memory: bytes, swap included. pids: processes and threads.
        dropped: capabilities that its root does not have; `ALL` for all except those in `added`.
        gains_rights: whether a program in it may get more rights than the one that started it, such as by a setuid bit.
        gpus: which GPUs of the engine's machine it gets, as in `docker run --gpus`.
        in_memory: folders in memory that every user may write to. They are empty at the start, and gone with the container.
        stdin: whether it has a standard input that somebody sends; otherwise that is empty.
        terminal: whether its streams are those of a terminal.
    """

    name: str
    image: str
    command: tuple[str, ...]
    labels: Mapping[str, str]
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[ContainerMount, ...] = ()
    working_dir: str = "/"
    user: str | None = None
    network: str = "none"
    aliases: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    platform: str | None = None
    cpus: float | None = None
    memory: int | None = None
    pids: int | None = None
    dropped: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    gains_rights: bool = False
    gpus: str | None = None
    in_memory: tuple[str, ...] = ()
    stdin: bool = True
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class ExitState:
    """How a container ended, as the engine recorded it.

    Attributes:
        start_error: the engine's message if the command itself could not be started (exit code 126 or 127), else None.
    """

    exit_code: int
    oom_killed: bool = False
    start_error: str | None = None


@dataclass(frozen=True, slots=True)
class RunningContainer:
    """A container that runs.

    Attributes:
        hostname: the machine's name as its processes see it.
        since: when it was started, as the engine reports it. No two starts of a container have the same value.
    """

    hostname: str
    since: str


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something on the engine that a run has made."""

    kind: Literal["container", "volume", "network", "image"]
    id: str
    labels: Mapping[str, str]


class ContainerVanishedError(DockerciseError):
    """Another program removed the container while it ran. Its exit code cannot be known, so it counts as failed."""

    exit_status = ExitStatus.STAGE_FAILED


class EngineLostError(EngineError):
    """The engine does not answer: it is gone, or was never there."""


class NoSuchPathError(EngineError):
    """There is nothing at a path in a container."""


class FileStream(Iterator[bytes], Protocol):
    """A tar stream of files in a container."""

    def close(self) -> None:
        """Stop reading. May be called at any time, and any number of times."""
        ...


class Engine(ServiceEngine, Protocol):
    """Runs containers somewhere, perhaps not on this machine. So files only pass through its API.

    Order: `create` comes before `run` or `converse`, and each may be called at most once per container. `stop` and `remove` may
    be called at any time, any number of times, also for a container that was never started or does not exist any more. Every
    method may be called from several threads at once for different containers, and `stop` also for a container that another
    thread runs. `run` returns the exit state that the engine recorded, never a guess. If it cannot learn the exit state, it
    raises. If a method raises, `leftovers` finds what it made until then, since that has the labels it was called with.

    Raises:
        EngineError: from every method, if the engine does not answer or refuses. The message says what the engine refused.
    """

    def info(self) -> EngineInfo:
        """Ask the engine for information about itself. This is the cheapest call to learn whether it answers."""
        ...

    def resolve_image(self, ref: str, *, pull: PullPolicy, platform: str | None, progress: Progress) -> ResolvedImage:
        """The image on the engine, pulled as the policy says, with the user's registry credentials."""
        ...

    def build(self, spec: BuildSpec, context: Iterable[bytes]) -> ImageBuild:
        """A build that has not begun yet. Its final image has no name that anybody else would use.

        Every image that it makes has the labels, also the images of earlier stages of the Dockerfile, and those of a build that
        failed or was stopped. So has every container of a step. What the engine keeps in its build cache does not have them.

        Args:
            spec: what is built.
            context: a tar stream of the folder that is built, read while the build runs. It does not have `.dockerignore`, nor
                the files that `.dockerignore` excludes.
        """
        ...

    def commit(self, container: str, image: str, labels: Mapping[str, str]) -> str:
        """Make an image without a name from the files of a container that has ended. Return its id.

        Its configuration is that of `image` with the labels added, whatever the container's configuration is. Volumes are not
        part of it. Names of variables that only the container has may be in the configuration, but never their values.
        """
        ...

    def create_volume(self, name: str, labels: Mapping[str, str], overlay: Overlay | None = None) -> None:
        """An empty volume, its root owned by root, mode 0755; or one that is a copy, to be removed before what it shows."""
        ...

    def volume_exists(self, name: str) -> bool:
        """Whether there is a volume of that name. If there is none, a mount would silently create it."""
        ...

    def is_of_a_run(self, volume: str) -> bool:
        """Whether a run has made the volume of that name through `create_volume`. False if there is none."""
        ...

    def create(self, spec: ContainerSpec) -> str:
        """Create the container without starting it. Return its id."""
        ...

    def run(self, container: str, stdin: bytes | None, sink: OutputSink) -> ExitState:
        """Attach, start, send `stdin` and the end of input, pass on all output, wait for the end.

        `stdin` is None exactly for a container that was created without a standard input.

        When this returns, all output has been passed on, with any log driver of the engine. It is not an error if a container
        ends without reading its input.

        Raises:
            ContainerVanishedError: the container was removed while it ran.
        """
        ...

    def follow(self, container: str, sink: OutputSink) -> ExitState | None:
        """Attach to a container that another process has started, pass on the output from here on, wait for the end.

        Everything else is as for `run`. A container that has ended gives no output. The result is None if it never started.
        """
        ...

    def create_twin(self, container: str, name: str, command: Sequence[str], labels: Mapping[str, str]) -> str:
        """Create a container like a running one, also like one that is not ours, without starting it. Return its id.

        It has the image, entrypoint, user, groups, mounts, network and host names of the other one. Of the variables, which may
        be secret, it has those of the image. The engine removes it when it has ended.

        Args:
            container: the id of the other one.
            name: its name.
            command: replaces the command, not the entrypoint.
            labels: its labels.
        """
        ...

    def converse(self, container: str) -> Conversation:
        """Attach and start. The caller closes the conversation."""
        ...

    def running(self, container: str) -> RunningContainer | None:
        """A running container, also one that is not ours; None if it does not run or does not exist."""
        ...

    def stop(self, container: str, grace: float) -> None:
        """Send SIGTERM, and SIGKILL after `grace` seconds (0: at once). Returns when the container has ended."""
        ...

    def remove(self, container: str) -> None:
        """Kill the container if it runs, and remove it with its anonymous volumes. Does nothing if it does not exist."""
        ...

    def remove_volume(self, name: str) -> None:
        """Remove the volume. Does nothing if it does not exist."""
        ...

    def put(self, container: str, path: str, tar: Iterable[bytes]) -> None:
        """Unpack a tar stream below the folder `path` of a created or running container, its volumes included."""
        ...

    def get(self, container: str, path: str) -> FileStream:
        """The tar stream of `path`. The names of its entries begin with the last part of `path`. Keeps owners, modes and links.

        A caller that does not read it to its end must close it: the engine does not remove the container before that.

        Raises:
            NoSuchPathError: the path does not exist. A symbolic link at the end of `path` does exist, wherever it leads.
        """
        ...

    def folder_mark(self, container: str, path: str) -> str | None:
        """A text that changes when something directly in a folder is made or removed; None if the engine cannot say. Cheap."""
        ...

    def leftovers(self) -> list[Leftover]:
        """Everything that was made through `create`, `create_…`, `build` and `commit`, by any run, containers first.

        What others have made is not listed, whatever labels it has: an image passes its labels on to every container and every
        image that is made from it. An image is not listed either if it has got a name, or if a container or an image of
        somebody else needs it.
        """
        ...

    def discard(self, leftover: Leftover) -> None:
        """Remove the leftover, running or not, and nothing else: not what an image was made from.

        Does nothing if it does not exist.

        An image that has got a name since it was listed stays.
        """
        ...

    def close(self) -> None:
        """Close the connections."""
        ...
