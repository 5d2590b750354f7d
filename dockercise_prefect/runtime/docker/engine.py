"""The `Engine` used in production: Docker, only through its API."""

from __future__ import annotations

import math
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from functools import cached_property
from typing import Any, Final, Self

import requests
from docker import APIClient
from docker.errors import APIError, NotFound

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import PullPolicy
from dockercise_prefect.runtime.cleanup.labels import STEPS
from dockercise_prefect.runtime.conversation import Conversation
from dockercise_prefect.runtime.dialogue import Dialogue
from dockercise_prefect.runtime.docker import connection as docker_connection
from dockercise_prefect.runtime.docker.archive import folder_mark, open_archive, unstartable
from dockercise_prefect.runtime.docker.arguments import committed_config, container_config, twin_config
from dockercise_prefect.runtime.docker.build import DockerBuild
from dockercise_prefect.runtime.docker.buildkit import BuildKitBuild
from dockercise_prefect.runtime.docker.command import BuildCommand, NoBuildKit, find_build_command, limited
from dockercise_prefect.runtime.docker.connection import Address
from dockercise_prefect.runtime.docker.conversation import DockerConversation, execute
from dockercise_prefect.runtime.docker.errors import CONFLICT, engine_errors, explanation, timed_out
from dockercise_prefect.runtime.docker.images import Credentials, DockerImages
from dockercise_prefect.runtime.docker.interaction import interaction
from dockercise_prefect.runtime.docker.leftovers import DockerLeftovers
from dockercise_prefect.runtime.docker.marks import is_our_volume, marked
from dockercise_prefect.runtime.docker.memory import ran_out_of_memory
from dockercise_prefect.runtime.docker.networks import create_network, remove_network
from dockercise_prefect.runtime.docker.overlays import again_while_busy, overlay_facts, volume_arguments
from dockercise_prefect.runtime.docker.streams import Feed, attach, pump
from dockercise_prefect.runtime.docker.upload import Upload
from dockercise_prefect.runtime.dockerfile.needs import first_need
from dockercise_prefect.runtime.engine import (
    ContainerSpec,
    ContainerVanishedError,
    EngineInfo,
    ExitState,
    FileStream,
    Leftover,
    Progress,
    ResolvedImage,
    RunningContainer,
)
from dockercise_prefect.runtime.image_build import BuildSpec, ImageBuild
from dockercise_prefect.runtime.output_sink import OutputSink
from dockercise_prefect.runtime.overlay import Overlay, OverlayFacts
from dockercise_prefect.runtime.service_engine import Executed

__all__ = ["Credentials", "DockerEngine"]

_WAIT_SPELL: Final = 60
"""Seconds that one request waits for a container. The request is repeated, so that no gateway breaks off a long stage."""

_REMOVAL_SPELL: Final = 15
"""How many seconds another program may take to remove a container that we also want to remove."""

_NOT_EXECUTABLE: Final = 126
_NOT_FOUND: Final = 127

_EXITED: Final = "exited"
"""The status of a container whose end is recorded completely. Nobody has to wait for more."""

_NEVER: Final = "0001-01-01T"
"""The beginning of the time that the engine reports for something that has not happened."""


class DockerEngine:
    """Runs containers on a Docker engine (`runtime.engine.Engine` says what each method promises).

    Args:
        client: shared by all threads.
        address: where the engine is.
        has_init: whether the engine has an init binary. If it has none, asking for an init process would make every start fail.
        credentials: for private registries. They take precedence over the user's Docker configuration.
        processors: how many the engine has; None if that is not known.
        overlays: whether it may be able to have overlays.
    """

    def __init__(
        self,
        client: APIClient,
        address: Address,
        *,
        has_init: bool,
        credentials: Credentials,
        processors: int | None = None,
        overlays: OverlayFacts = OverlayFacts(),  # noqa: B008  a constant
    ) -> None:
        self._client = client
        self._address = address
        self._has_init = has_init
        self._processors = processors
        self._overlays = overlays
        self._images = DockerImages(client, credentials)

    @classmethod
    def connect(cls, credentials: Credentials | None = None) -> Self:
        """The engine that `DOCKER_HOST`, the Docker context or the usual sockets lead to.

        Raises:
            EngineError: no engine answers. The message has the addresses that were tried.
        """
        client, address = docker_connection.connect()
        with engine_errors(f"cannot get information about the engine at {address.shown}"):
            found = client.info()
        # An engine that cannot run its init binary says "N/A" for the commit it was made from.
        has_init = bool(found.get("InitBinary")) and (found.get("InitCommit") or {}).get("ID", "N/A") != "N/A"
        processors = found.get("NCPU") or None
        return cls(
            client,
            address,
            has_init=has_init,
            credentials=credentials or {},
            processors=processors,
            overlays=overlay_facts(found),
        )

    def info(self) -> EngineInfo:
        with engine_errors(f"cannot get the version of the engine at {self._address.shown}"):
            version = self._client.version()
        address, processors = self._address.shown, self._processors or 1
        return EngineInfo(version["Version"], address, self._has_init, version["Arch"], self._overlays, processors)

    def resolve_image(self, ref: str, *, pull: PullPolicy, platform: str | None, progress: Progress) -> ResolvedImage:
        return self._images.resolve(ref, pull, platform, progress)

    def build(self, spec: BuildSpec, context: Iterable[bytes]) -> ImageBuild:
        command = self._build_command if spec.limits is None else limited(spec.limits)
        if isinstance(command, BuildCommand):
            credentials = self._images.all_credentials if self._images.has_credentials else None
            return BuildKitBuild(self._client, command, spec, context, credentials)
        need = first_need(spec.dockerfile)
        if need or spec.secrets:
            what = f"{need.what} on line {need.line} of `{spec.path}` needs" if need else "its `secrets` need"
            raise EngineError(f"cannot build the image of {spec.what}: {what} BuildKit, but {command.reason}", command.hint)
        return DockerBuild(self._client, spec, context, self._images.all_credentials)

    @cached_property
    def _build_command(self) -> BuildCommand | NoBuildKit:
        return find_build_command(self._address, os.environ)

    def commit(self, container: str, image: str, labels: Mapping[str, str]) -> str:
        mark = secrets.token_hex(16)
        labels = {**marked(labels, mark), STEPS: "0"}
        with engine_errors(f"cannot create an image from container {_short(container)}"):
            own = self._client.inspect_container(container)["Config"]
            of_image = self._client.inspect_image(image)["Config"]  # type: ignore[no-untyped-call]  # its stub has no types
            config = committed_config(of_image, own, labels)
            committed = self._client.commit(container, message=mark, conf=config, pause=False)
        id_: str = committed["Id"]
        return id_

    def create_volume(self, name: str, labels: Mapping[str, str], overlay: Overlay | None = None) -> None:
        with engine_errors(f"cannot create volume {name}"):
            self._client.create_volume(name, labels=marked(labels, name), **volume_arguments(self._client, overlay))

    def volume_exists(self, name: str) -> bool:
        with engine_errors(f"cannot inspect volume {name}"):
            try:
                self._client.inspect_volume(name)
            except NotFound:
                return False
            return True

    def is_of_a_run(self, volume: str) -> bool:
        with engine_errors(f"cannot inspect volume {volume}"):
            try:
                return is_our_volume(self._client.inspect_volume(volume))
            except NotFound:
                return False

    def create(self, spec: ContainerSpec) -> str:
        config = container_config(spec, init=self._has_init, processors=self._processors)
        with engine_errors(f"cannot create container {spec.name}"):
            created = self._client.create_container_from_config(config, spec.name, spec.platform)  # type: ignore[no-untyped-call]  # its stub has no types
        id_: str = created["Id"]
        return id_

    @again_while_busy
    def run(self, container: str, stdin: bytes | None, sink: OutputSink) -> ExitState:
        with ExitStack() as stack:
            with engine_errors(f"cannot attach to container {_short(container)}"):
                output = stack.enter_context(closing(attach(self._client, container, "stdout", "stderr")))
                feed = None if stdin is None else stack.enter_context(Feed(attach(self._client, container, "stdin"), stdin))
            if refused := self._start(container):
                return refused
            if feed is not None:
                feed.start()
            pump(output.read, sink, lambda: self._is_running(container))
        return self._exit_state(container)

    @again_while_busy
    def interact(self, container: str, dialogue: Dialogue) -> ExitState:
        with interaction(self._client, container, dialogue) as interact:
            if refused := self._start(container):
                return refused
            interact(lambda: self._is_running(container))
        return self._exit_state(container)

    def follow(self, container: str, sink: OutputSink) -> ExitState | None:
        with engine_errors(f"cannot attach to container {_short(container)}"), suppress(NotFound):
            if self._client.inspect_container(container)["State"]["StartedAt"].startswith(_NEVER):
                return None  # waiting for it would end at once, with exit code 0
            if self._is_running(container):
                with closing(attach(self._client, container, "stdout", "stderr")) as output:
                    pump(output.read, sink, lambda: self._is_running(container))
        return self._exit_state(container)

    def create_twin(self, container: str, name: str, command: Sequence[str], labels: Mapping[str, str]) -> str:
        with engine_errors(f"cannot create a container like {_short(container)}"):
            config = twin_config(self._client.inspect_container(container), name, command, labels)
            created = self._client.create_container_from_config(config, name)  # type: ignore[no-untyped-call]  # its stub has no types
        id_: str = created["Id"]
        return id_

    def converse(self, container: str) -> Conversation:
        with ExitStack() as stack:
            with engine_errors(f"cannot attach to container {_short(container)}"):
                output = stack.enter_context(closing(attach(self._client, container, "stdout")))
                input_ = stack.enter_context(closing(attach(self._client, container, "stdin")))
            if refused := self._start(container):
                raise EngineError(f"cannot start container {_short(container)}: {refused.start_error}")
            stack.pop_all()
            return DockerConversation(input_, output)

    def running(self, container: str) -> RunningContainer | None:
        with engine_errors(f"cannot inspect container {_short(container)}"):
            try:
                found = self._client.inspect_container(container)
            except NotFound:
                return None
        if not found["State"]["Running"]:
            return None
        return RunningContainer(found["Config"]["Hostname"], found["State"]["StartedAt"])

    def stop(self, container: str, grace: float) -> None:
        with engine_errors(f"cannot stop container {_short(container)}"), suppress(NotFound):
            if grace > 0:
                self._client.stop(container, timeout=math.ceil(grace))
                return
            try:
                self._client.kill(container, "SIGKILL")
            except APIError as error:
                if error.status_code != CONFLICT:  # it is not running
                    raise
            self._wait(container)

    def remove(self, container: str) -> None:
        with engine_errors(f"cannot remove container {_short(container)}"), suppress(NotFound):
            try:
                self._client.remove_container(container, v=True, force=True)
            except APIError as error:
                if error.status_code != CONFLICT:
                    raise
                # Somebody else is removing it, for example the engine itself at the end of a build that nobody waits for.
                self._client.wait(container, timeout=_REMOVAL_SPELL, condition="removed")

    def remove_volume(self, name: str) -> None:
        with engine_errors(f"cannot remove volume {name}"), suppress(NotFound):
            self._client.remove_volume(name)

    def create_network(self, name: str, labels: Mapping[str, str]) -> None:
        create_network(self._client, name, labels)

    def remove_network(self, name: str) -> None:
        remove_network(self._client, name)

    def execute(self, container: str, command: Sequence[str], stdin: bytes | None) -> Executed:
        with engine_errors(f"cannot run a command in container {_short(container)}"):
            return execute(self._client, container, command, stdin)

    def put(self, container: str, path: str, tar: Iterable[bytes]) -> None:
        source = Upload(tar)
        try:
            with engine_errors(f"cannot put files into {path} of container {_short(container)}"):
                self._client.put_archive(container, path, source)
        except EngineError:
            if source.failure is not None:
                raise source.failure from None
            raise

    @again_while_busy
    def get(self, container: str, path: str) -> FileStream:
        return open_archive(self._client, container, path, f"cannot get {path} of container {_short(container)}")

    @again_while_busy
    def folder_mark(self, container: str, path: str) -> str | None:
        with engine_errors(f"cannot look at {path} of container {_short(container)}"):
            return folder_mark(self._client, container, path)

    def leftovers(self) -> list[Leftover]:
        with engine_errors("cannot list what earlier runs left"):
            return DockerLeftovers(self._client).find()

    def discard(self, leftover: Leftover) -> None:
        match leftover.kind:
            case "container":
                self.remove(leftover.id)
            case "volume":
                self.remove_volume(leftover.id)
            case "network":
                self.remove_network(leftover.id)
            case "image":
                self._images.remove(leftover.id)

    def close(self) -> None:
        self._client.close()

    def _start(self, container: str) -> ExitState | None:
        """Start it. If the engine could not start the command, return how the container ended."""
        doing = f"cannot start container {_short(container)}"
        with engine_errors(doing):
            try:
                self._client.start(container)
            except APIError as error:
                exit_code = self._client.inspect_container(container)["State"]["ExitCode"]
                if exit_code not in {_NOT_EXECUTABLE, _NOT_FOUND}:
                    raise
                return ExitState(exit_code, start_error=explanation(error))
        return None

    def _is_running(self, container: str) -> bool:
        with engine_errors(f"cannot inspect container {_short(container)}"):
            try:
                running: bool = self._client.inspect_container(container)["State"]["Running"]
            except NotFound:
                return False
            return running

    def _exit_state(self, container: str) -> ExitState:
        """What the engine recorded when the container ended. To be called when the output has ended.

        Raises:
            ContainerVanishedError: the container has been or is being removed.
            EngineError: the output has ended before the container.
        """
        with engine_errors(f"cannot find out how container {_short(container)} ended"):
            try:
                inspected = self._client.inspect_container(container)
                self._refuse_half(container, inspected)
                if inspected["State"]["Status"] != _EXITED:
                    self._wait(container)
                    inspected = self._client.inspect_container(container)
            except NotFound as error:
                raise _vanished(container) from error
            state = inspected["State"]
            if state["Status"] in {"removing", "dead"}:
                raise _vanished(container)
            oom_killed = ran_out_of_memory(self._client, inspected)
            unstarted = state["ExitCode"] in {_NOT_EXECUTABLE, _NOT_FOUND} and unstartable(self._client, container, inspected)
        return ExitState(state["ExitCode"], oom_killed=oom_killed, start_error=unstarted or None)

    def _refuse_half(self, container: str, inspected: Mapping[str, Any]) -> None:
        """Refuse output that has ended before its container.

        A gateway may close a stream that is silent for too long, and that looks as if the engine had ended it. An init process
        keeps the output open until the container ends, and the engine ends our stream and records the end of the container in
        one step. So if the container still runs, there may be more output. Without an init process, the container may have
        closed its output itself.

        Raises:
            EngineError: the container still runs.
        """
        if self._has_init and inspected["State"]["Running"]:
            raise EngineError(
                f"the output of container {_short(container)} was interrupted while the container was running",
                "does a proxy or firewall close idle connections to the engine?",
            )

    def _wait(self, container: str) -> None:
        """Wait for the end, however long it takes. The connection does not have to stay open for all that time."""
        while True:
            try:
                self._client.wait(container, timeout=_WAIT_SPELL)
            except requests.RequestException as error:
                if not timed_out(error):
                    raise
            else:
                return


def _vanished(container: str) -> ContainerVanishedError:
    return ContainerVanishedError(
        f"container {_short(container)} was removed while it was running", "is another program cleaning up on this engine?"
    )


def _short(container: str) -> str:
    return container[:12]
