r"""An engine in memory, whose containers do what the test defines.

    engine = ScriptedEngine()
    engine.script("make test", Behaviour(stdout=b"ok\n", exit_code=2, writes={"/build/log": b"…"}))

A container has the first registered behaviour whose text is in its command or standard input; without one it ends immediately
with exit code 0. Code that breaks the contract of `Engine` gets a `ContractBreachError`. That is not an `EngineError`, so the
code under test cannot take it for one.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import PullPolicy
from dockercise_prefect.runtime.cleanup.labels import RUN
from dockercise_prefect.runtime.conversation import Conversation
from dockercise_prefect.runtime.engine import (
    ContainerSpec,
    ContainerVanishedError,
    EngineInfo,
    ExitState,
    FileStream,
    Leftover,
    NoSuchPathError,
    Progress,
    ResolvedImage,
    RunningContainer,
)
from dockercise_prefect.runtime.image_build import BuildSpec, ImageBuild
from dockercise_prefect.runtime.output_sink import OutputSink
from dockercise_prefect.runtime.overlay import Overlay, OverlayFacts
from tests.engines.build import ScriptedBuild
from tests.engines.checks import check_spec
from tests.engines.container import (
    Behaviour,
    ContractBreachError,
    ReadOnlyError,
    ScriptedContainer,
    ScriptedConversation,
    Volume,
)
from tests.engines.files import BadTarError, Tree, pack, unpack
from tests.engines.images import BUSYBOX, ScriptedImages
from tests.engines.overlays import copies_of, overlaid
from tests.engines.script import Fault, Run, given, no_answer
from tests.engines.services import PATIENCE, ScriptedServices

__all__ = ["BUSYBOX", "Behaviour", "ContractBreachError", "Run", "ScriptedBuild", "ScriptedContainer", "ScriptedEngine"]


@dataclass(slots=True)
class _State:
    images: ScriptedImages = field(default_factory=ScriptedImages)
    volumes: dict[str, Volume] = field(default_factory=dict)
    containers: dict[str, ScriptedContainer] = field(default_factory=dict)
    others: dict[str, Leftover] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)


class ScriptedEngine(ScriptedServices):
    """The `Engine` protocol without Docker.

    Attributes:
        calls: how often each method was called.
        specs: every container that was created, in order.
        runs: every container that was run, in order of starting.
        builds: every build, in order.
        resolved: the images that were requested, with policy and platform, in order.
        pulled: every reference that was pulled, in order.
        peak: the largest number of containers that ran at once.
        overlays: what it says about overlays.
        breaks_links: whether hard links are lost in copies by overlays.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.specs: list[ContainerSpec] = []
        self.runs: list[Run] = []
        self.builds: list[ScriptedBuild] = []
        self.resolved: list[tuple[str, PullPolicy, str | None]] = []
        self.pulled: list[str] = []
        self.peak = 0
        self.overlays = OverlayFacts("scripted")
        self.breaks_links = False
        self._state = _State()
        self._dead = False
        self._numbers = itertools.count(1)
        self.add_image(BUSYBOX)

    def script(self, text: str, *behaviours: Behaviour) -> None:
        """Define what the n-th attempt does whose command, input or Dockerfile has `text`; the last is for all later ones."""
        self._script.add(text, behaviours)

    def add_image(self, ref: str, *, present: bool = True, **config: Any) -> str:
        """Add an image that is present or, unless `present`, that a pull brings; return its id."""
        return self._state.images.add(ref, present=present, **config)

    def add_leftover(self, leftover: Leftover) -> None:
        """Add something that another run left: a network, an image, or a container of which nothing else is known."""
        self._state.others[leftover.id] = leftover

    def fail(self, method: str, error: EngineError, times: int = 1) -> None:
        """Let the next `times` calls of a method raise."""
        self._state.faults[method] = Fault(error, times)

    def die(self) -> None:
        """From now on give no answers, and lose sight of everything that runs."""
        with self._changed:
            self._dead = True
            for container in self._state.containers.values():
                container.finish()
            self._changed.notify_all()

    def come_back(self) -> None:
        """Start the engine again: its containers have ended in the meantime, and volumes still exist."""
        with self._changed:
            self._dead = False
            for container in self._state.containers.values():
                container.stop(0)

    def wait_until_running(self, text: str) -> str:
        """The id of the first container whose command or standard input has `text`, once it runs."""
        with self._changed:
            found = self._changed.wait_for(lambda: self._running(text), PATIENCE)
        assert found, f"no container with {text!r} was started"
        return found

    def wait_until_building(self, text: str) -> ScriptedBuild:
        """The first build whose Dockerfile has `text`, once it goes on."""
        with self._changed:
            found = self._changed.wait_for(lambda: self._building(text), PATIENCE)
        assert found, f"no build with {text!r} was begun"
        return found

    def volume(self, name: str) -> Tree:
        """The files of a volume."""
        return self._state.volumes[name].tree

    def container(self, id_: str) -> ScriptedContainer:
        """A container that has not been removed."""
        return self._state.containers[id_]

    # The protocol.

    def info(self) -> EngineInfo:
        self._called("info")
        return EngineInfo("0.0-scripted", "scripted://", True, "amd64", self.overlays, processors=2)

    def resolve_image(self, ref: str, *, pull: PullPolicy, platform: str | None, progress: Progress) -> ResolvedImage:
        self._called("resolve_image")
        self.resolved.append((ref, pull, platform))
        with self._changed:
            image = self._state.images.by_ref(ref)
            absent = image is None or not image.present
            if image is None or (absent and pull is PullPolicy.NEVER):
                raise EngineError(f"there is no image {ref}", "check its name")
            if absent or pull is PullPolicy.ALWAYS:
                self.pulled.append(ref)
                image.present = True
                progress(f"pulling {ref}")
            return image.resolved

    def build(self, spec: BuildSpec, context: Iterable[bytes]) -> ImageBuild:
        self._called("build")
        behaviour = self._script.of(spec.dockerfile, spec.labels)

        def make(files: Tree) -> str:
            with self._changed:
                return self._state.images.make(files, spec.labels)

        build = ScriptedBuild(spec, context, behaviour, self._begun, make)
        with self._changed:
            self.builds.append(build)
        return build

    def commit(self, container: str, image: str, labels: Mapping[str, str]) -> str:
        self._called("commit")
        with self._changed:
            found = self._existing(container)
            if found.ended is None:
                raise ContractBreachError(f"{found.spec.name} is made an image of before it has ended")
            of_image = self._state.images.by_id(image)
            return self._state.images.make(found.own_files.copy(), of_image.labels | dict(labels), of_image)

    def create_volume(self, name: str, labels: Mapping[str, str], overlay: Overlay | None = None) -> None:
        self._called("create_volume" if overlay is None else "create_volume over another")
        with self._changed:
            tree = Tree() if overlay is None else overlaid(overlay, self._state.volumes, breaks_links=self.breaks_links)
            self._state.volumes.setdefault(name, Volume(name, dict(labels), tree, overlay))

    def volume_exists(self, name: str) -> bool:
        self._called("volume_exists")
        return name in self._state.volumes

    def is_of_a_run(self, volume: str) -> bool:
        self._called("is_of_a_run")
        return volume in self._state.volumes and RUN in self._state.volumes[volume].labels

    def create(self, spec: ContainerSpec) -> str:
        self._called("create")
        with self._changed:
            state = self._state
            check_spec(spec, state.images, state.containers.values(), state.volumes, self.networks)
            id_ = hashlib.sha256(f"{next(self._numbers)} {spec.name}".encode()).hexdigest()
            volumes = {mount.source: self._state.volumes[mount.source].tree for mount in spec.mounts if mount.kind == "volume"}
            self._state.containers[id_] = ScriptedContainer(id_, spec, volumes, self._state.images.by_id(spec.image).files)
            self.specs.append(spec)
            return id_

    def run(self, container: str, stdin: bytes | None, sink: OutputSink) -> ExitState:
        self._called("run")
        if self._existing(container).spec.stdin is (stdin is None):
            raise ContractBreachError("a container without a standard input was sent something, or one with it nothing")
        running = self._start(container, stdin or b"")
        behaviour = running.behaviour
        if behaviour.start_error is not None:
            running.ended = ExitState(behaviour.exit_code, start_error=behaviour.start_error)
            return running.ended
        self.runs.append(Run(container, running.spec, stdin or b""))
        exit_code = running.act(sink)
        if behaviour.engine_dies:
            self.die()
        if self._dead:
            raise no_answer()
        with self._changed:
            if behaviour.vanishes:
                self._state.containers.pop(container, None)
            if container not in self._state.containers:
                raise ContainerVanishedError(f"container {running.spec.name} was removed while it was running")
            running.ended = ExitState(exit_code, oom_killed=behaviour.oom_killed)
            return running.ended

    def follow(self, container: str, sink: OutputSink) -> ExitState | None:
        self._called("follow")
        found = self._existing(container)
        return found.wait_for_end(PATIENCE) if found.started else None

    def create_twin(self, container: str, name: str, command: Sequence[str], labels: Mapping[str, str]) -> str:
        self._called("create_twin")
        return self.create(replace(self._existing(container).spec, name=name, command=tuple(command), labels=labels))

    def converse(self, container: str) -> Conversation:
        self._called("converse")
        running = self._start(container, b"")
        if running.behaviour.start_error is not None:
            raise EngineError(f"cannot start container {running.spec.name}: {running.behaviour.start_error}")
        return ScriptedConversation(running, self._alive)

    def running(self, container: str) -> RunningContainer | None:
        self._called("running")
        found = self._state.containers.get(container)
        return RunningContainer(container[:12], f"start of {found.spec.name}") if found and found.running else None

    def stop(self, container: str, grace: float) -> None:
        self._called("stop")
        found = self._state.containers.get(container)
        if found:
            found.stop(grace)
            found.wait_until_down(PATIENCE)

    def remove(self, container: str) -> None:
        self._called("remove")
        with self._changed:
            found = self._state.containers.pop(container, None)
            if found:
                found.stop(0)

    def remove_volume(self, name: str) -> None:
        self._called("remove_volume")
        with self._changed:
            users = [each.spec.name for each in self._state.containers.values() if name in each.volumes]
            if users:
                raise EngineError(f"cannot remove volume {name}: in use by {', '.join(users)}")
            if copies := copies_of(name, self._state.volumes):
                raise ContractBreachError(f"the volume {name} is removed before its copies {', '.join(copies)}")
            self._state.volumes.pop(name, None)

    def put(self, container: str, path: str, tar: Iterable[bytes]) -> None:
        self._called("put")
        found = self._existing(container)
        entries = unpack(tar, lambda name: found.entry(f"{path}/{name}"))
        with self._changed:
            if not found.has_folder(path):
                raise EngineError(f"cannot put files into {found.spec.name}:{path}: no such folder")
            try:
                for name, entry in entries:
                    found.write(f"{path}/{name}", entry)
            except (BadTarError, ReadOnlyError) as error:
                raise EngineError(f"cannot put files into {found.spec.name}:{path}: {error}") from error

    def get(self, container: str, path: str) -> FileStream:
        self._called("get")
        with self._changed:
            found = self._existing(container)
            entries = list(found.below(path))
            if not entries:
                raise NoSuchPathError(f"cannot get {path} of {found.spec.name}: no such file or folder")
            data = pack(entries)
        return (data[start : start + 65536] for start in range(0, len(data), 65536))

    def folder_mark(self, container: str, path: str) -> str | None:
        self._called("folder_mark")
        with self._changed:
            return repr(sorted(name for name, _ in self._existing(container).below(path)))

    def leftovers(self) -> list[Leftover]:
        self._called("leftovers")
        with self._changed:
            containers = [Leftover("container", id_, dict(c.spec.labels)) for id_, c in self._state.containers.items()]
            volumes = [Leftover("volume", v.name, v.labels) for v in self._state.volumes.values()]
            found = [
                *containers,
                *volumes,
                *self.networks.values(),
                *self._state.images.leftovers(),
                *self._state.others.values(),
            ]
            ours = [each for each in found if "dockercise.run" in each.labels]
            return sorted(ours, key=lambda each: each.kind != "container")

    def discard(self, leftover: Leftover) -> None:
        self._called("discard")
        if self._state.others.pop(leftover.id, None):
            return
        if leftover.kind == "container":
            self.remove(leftover.id)
        if leftover.kind == "volume":
            self.remove_volume(leftover.id)
        if leftover.kind == "network":
            self.remove_network(leftover.id)
        if leftover.kind == "image":
            with self._changed:
                self._state.images.remove(leftover.id)

    def close(self) -> None:
        """Count the call; there is nothing to close."""
        self.calls["close"] += 1

    def _begun(self) -> None:
        with self._changed:
            self._alive()
            self._changed.notify_all()

    def _alive(self) -> None:
        if self._dead:
            raise no_answer()

    def _called(self, method: str) -> None:
        with self._changed:
            self.calls[method] += 1
            self._alive()
            fault = self._state.faults.get(method)
            if fault and fault.times > 0:
                fault.times -= 1
                raise fault.error

    def _start(self, id_: str, stdin: bytes) -> ScriptedContainer:
        with self._changed:
            container = self._existing(id_)
            if container.started:
                raise ContractBreachError(f"container {container.spec.name} was started before")
            network = self._state.containers.get(container.spec.network.removeprefix("container:"))
            if network is not None and not network.running:
                raise EngineError(f"cannot start {container.spec.name}: cannot join network of a non running container")
            container.start(stdin, self._script.of_container(container.spec, stdin))
            running = [each for each in self._state.containers.values() if each.running]
            self.peak = max(self.peak, len(running))
            self._changed.notify_all()
            return container

    def _containers(self) -> Iterable[ScriptedContainer]:
        return self._state.containers.values()

    def _existing(self, id_: str) -> ScriptedContainer:
        container = self._state.containers.get(id_)
        if container is None:
            raise EngineError(f"no such container: {id_}")
        return container

    def _building(self, text: str) -> ScriptedBuild | None:
        return next((build for build in self.builds if build.going_on and text.encode() in build.spec.dockerfile), None)

    def _running(self, text: str) -> str | None:
        for id_, container in self._state.containers.items():
            if container.running and text.encode() in given(container.spec, container.stdin):
                return id_
        return None
