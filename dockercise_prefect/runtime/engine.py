"""What runs containers, as a protocol: the Docker engine in production, a scripted one for speed and faults in tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from dockercise_prefect.errors import DockerciseError, EngineError, ExitStatus
from dockercise_prefect.pipeline import PullPolicy

Channel: TypeAlias = Literal["stdout", "stderr"]
OutputSink: TypeAlias = Callable[[Channel, bytes], None]
"""Takes each chunk of output as it comes, in order, from one thread."""

Progress: TypeAlias = Callable[[str], None]
"""Takes a line that says what takes so long, say an image that is pulled."""

KILLED = 137
"""The exit code of a process that was ended by SIGKILL: 128 and the number of the signal."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """The engine that answered.

    Attributes:
        url: where it is, for people.
        has_init: whether it can put an init process in front of a script.
        machine: the processor as engines call it, `amd64` say.
    """

    version: str
    url: str
    has_init: bool
    machine: str


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """An image as it stands on the engine for a whole run.

    Attributes:
        id: what containers are created from, `sha256:…`.
        digest: what the results record: the repository digest where there is one, else the id.
        user: the image's own user, empty for root.
        command: its entrypoint and command, joined.
    """

    ref: str
    id: str
    digest: str
    user: str
    command: tuple[str, ...]


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
    """One container to be, in our words; `docker_arguments` turns it into the SDK's.

    Attributes:
        command: replaces the image's entrypoint and command.
        env: stored in the container's configuration, so never a secret.
        network: `bridge`, `none`, `host` or `container:<id>`.
        sysctls: kernel settings of the container's own network namespace.
        cpus: processors. memory: bytes, swap included. pids: processes and threads.
        dropped: capabilities that its root goes without, `ALL` for all but those `added`.
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
    sysctls: Mapping[str, str] = field(default_factory=dict)
    platform: str | None = None
    cpus: float | None = None
    memory: int | None = None
    pids: int | None = None
    dropped: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExitState:
    """How a container ended, as the engine recorded it.

    Attributes:
        start_error: what the engine said when the command itself could not be started (exit code 126 or 127), else None.
    """

    exit_code: int
    oom_killed: bool = False
    start_error: str | None = None


@dataclass(frozen=True, slots=True)
class RunningContainer:
    """A container that runs.

    Attributes:
        hostname: what its processes take for the machine's name.
        since: when it was started, as the engine tells it; no two starts of a container have the same.
    """

    hostname: str
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSpec:
    """One image to build, in our words.

    Attributes:
        what: whose image it is, for messages.
        dockerfile: the Dockerfile's text.
        path: the Dockerfile's path below the folder that is built.
        ignore: the text of the context's `.dockerignore`, None where there is none.
        labels: of every image and every container that the build makes.
        args: build arguments, which stay in the image's history.
        secrets: for `RUN --mount=type=secret`, by their ids; in no image, no cache and no log of the engine.
        target: the stage of the Dockerfile to stop at; None for the last one.
        network: `bridge`, `none` or `host`.
        pull: whether the images that the Dockerfile names are asked for at their registries, also where they are there.
        cpus: processors. memory: bytes, swap included; limits of each step.
    """

    what: str
    dockerfile: bytes
    labels: Mapping[str, str]
    path: str = "Dockerfile"
    ignore: bytes | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    target: str | None = None
    network: str = "bridge"
    platform: str | None = None
    pull: bool = False
    cpus: float | None = None
    memory: int | None = None

    @property
    def limits(self) -> str | None:
        """Which limits there are, for people; None for none."""
        given = [name for name, value in (("cpus", self.cpus), ("memory", self.memory)) if value is not None]
        return " and ".join(f"`{name}`" for name in given) or None


@dataclass(frozen=True, slots=True)
class BuildEnd:
    """How a build ended.

    Attributes:
        image: the id of what was built, None when a step of the Dockerfile failed.
        exit_code: of the step that failed, else 0.
    """

    image: str | None
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that a run has made and that lies on the engine."""

    kind: Literal["container", "volume", "image"]
    id: str
    labels: Mapping[str, str]


class ContainerVanishedError(DockerciseError):
    """Another program removed the container while it ran: its exit code cannot be known, and it counts as failed."""

    exit_status = ExitStatus.STAGE_FAILED


class EngineLostError(EngineError):
    """The engine does not answer: it went away, or was never there."""


class NoSuchPathError(EngineError):
    """There is nothing at a path in a container."""


class FileStream(Iterator[bytes], Protocol):
    """A tar stream of files in a container."""

    def close(self) -> None:
        """Read no more of it; at any time, any number of times."""
        ...


class ImageBuild(Protocol):
    """A build that is about to begin or goes on."""

    def run(self, sink: OutputSink) -> BuildEnd:
        """Build, and pass on the build's log as it comes, all of it on `stderr`. At most once.

        Nothing of the build runs any more when it returns or raises, as far as the engine lets us know.

        Raises:
            EngineError: no step failed, but there is no image all the same: the engine refused, or the build was stopped.
        """
        ...

    def stop(self) -> None:
        """Make it end, from another thread, at any time and any number of times; kills a step that runs. Returns at once."""
        ...


class Conversation(Protocol):
    """A running container that answers each line with a line."""

    def ask(self, line: str) -> str:
        """Send one line, return the next line of stdout. Raises `EngineError` when the container has ended."""
        ...

    def close(self) -> None:
        """Let go of the stream; the container sees the end of its input."""
        ...


class Engine(Protocol):
    """Runs containers somewhere, perhaps not on this machine: files pass through its API only.

    Order: `create` before `run` or `converse`, each at most once a container; `stop` and `remove` at any time, any number of
    times, also for what was never started or is long gone. Every method may be called from several threads at once for
    different containers, and `stop` for one that another thread runs. `run` returns the exit state the engine recorded, never
    a guess: if it cannot be learnt, it raises. Whatever a method made before it raised carries the labels it was given, so
    that `leftovers` finds it.

    Raises:
        EngineError: from every method, when the engine does not answer or refuses; the message says what it refused.
    """

    def info(self) -> EngineInfo:
        """Ask the engine who it is; the cheapest call there is to learn that it answers."""
        ...

    def resolve_image(self, ref: str, *, pull: PullPolicy, platform: str | None, progress: Progress) -> ResolvedImage:
        """The image on the engine, pulled as the policy says, with the user's registry credentials."""
        ...

    def build(self, spec: BuildSpec, context: Iterable[bytes]) -> ImageBuild:
        """A build, not begun yet; its final image has no name that anybody else would use.

        Every image that it makes, also one of an earlier stage of the Dockerfile or of a build that failed or was broken off,
        carries the labels, and so does every container of a step; but not what the engine keeps in its build cache.

        Args:
            spec: what is built.
            context: a tar stream of the folder that is built, read while the build runs; without `.dockerignore`, and
                without what that takes away.
        """
        ...

    def commit(self, container: str, image: str, labels: Mapping[str, str]) -> str:
        """Make an image without a name of the files of a container that has ended; return its id.

        Its configuration is that of `image`, whatever the container's is, with the labels added. Volumes are not part of it.
        A variable of the container that `image` does not have may be in it by its name, never with a value.
        """
        ...

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """An empty volume, its root owned by root, mode 0755."""
        ...

    def volume_exists(self, name: str) -> bool:
        """Whether there is a volume of that name, which a mount would otherwise create silently."""
        ...

    def create(self, spec: ContainerSpec) -> str:
        """Make the container, not started; return its id."""
        ...

    def run(self, container: str, stdin: bytes, sink: OutputSink) -> ExitState:
        """Attach, start, send `stdin` and the end of input, pass on all output, wait for the end.

        All output has been passed on when it returns, whatever the engine's log driver. A container that ends without
        reading its input is not an error.

        Raises:
            ContainerVanishedError: it was removed while it ran.
        """
        ...

    def converse(self, container: str) -> Conversation:
        """Attach and start; the caller closes it."""
        ...

    def running(self, container: str) -> RunningContainer | None:
        """A container as it runs, also one that is not ours; None when it does not run, or is not there."""
        ...

    def stop(self, container: str, grace: float) -> None:
        """SIGTERM, and SIGKILL after `grace` seconds (0: at once); returns when it is down."""
        ...

    def remove(self, container: str) -> None:
        """Kill if it runs, remove with its anonymous volumes; gone already is done."""
        ...

    def remove_volume(self, name: str) -> None:
        """Remove; gone already is done."""
        ...

    def put(self, container: str, path: str, tar: Iterable[bytes]) -> None:
        """Unpack a tar stream below the folder `path` of a created or running container, its volumes included."""
        ...

    def get(self, container: str, path: str) -> FileStream:
        """The tar stream of `path`; its entries begin with the last part of `path`. Owners, modes and links are kept.

        Whoever does not read it to its end closes it: the engine holds the container until then.

        Raises:
            NoSuchPathError: there is nothing; a symbolic link at the end of `path` is something, wherever it leads.
        """
        ...

    def leftovers(self) -> list[Leftover]:
        """All that was made through `create`, `create_volume`, `build` and `commit`, by any run, containers first.

        What others have made is not listed, whatever labels it carries: an image hands its labels on to each container and each
        image that is made of it. Neither is an image that has got a name, or that something of others needs.
        """
        ...

    def discard(self, leftover: Leftover) -> None:
        """Remove it, running or not, and nothing else: not what an image was made from. Gone already is done.

        An image that has got a name since it was listed stays.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
