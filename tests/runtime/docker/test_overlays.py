"""Overlays on a Docker engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing

import pytest
import requests
from docker import APIClient
from docker.errors import APIError

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import PullPolicy
from dockercise_prefect.runtime.cleanup.labels import RUN
from dockercise_prefect.runtime.cleanup.removal import remove_all
from dockercise_prefect.runtime.copying.changes import empty_changes
from dockercise_prefect.runtime.copying.trial import trouble_with_overlays
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.docker.marks import marked
from dockercise_prefect.runtime.docker.overlays import again_while_busy, overlay_facts, volume_arguments
from dockercise_prefect.runtime.engine import ContainerMount, ResolvedImage
from dockercise_prefect.runtime.overlay import FOLDERS, NEW, Overlay, OverlayFacts
from tests.engines.driving import Output, container, member, run, running, spec_of, tar_of
from tests.engines.scripted import BUSYBOX
from tests.runtime.workspaces import volumes_of

INFO = {"ID": "ABCD", "ServerVersion": "28.5", "KernelVersion": "6.1", "DockerRootDir": "/var/lib/docker"}
BUSY = (
    "error while mounting volume '/v/_data': failed to mount local volume: "
    "mount overlay:/v/_data, data: lowerdir=/a,upperdir=/b: device or resource busy"
)


@pytest.fixture
def busybox(docker_engine: DockerEngine) -> ResolvedImage:
    """The image of the tests."""
    return docker_engine.resolve_image(BUSYBOX, pull=PullPolicy.NEVER, platform=None, progress=print)


@pytest.fixture
def overlay(docker_engine: DockerEngine, run_id: str, busybox: ResolvedImage) -> Iterator[Overlay]:
    """A copy that can be made, of a volume with the file `f`."""
    volumes = volumes_of(docker_engine, run_id)
    origin = volumes.filled("origin", busybox.id, [tar_of((member("f"), b"x"))])
    yield Overlay(origin, empty_changes(volumes, busybox.id), FOLDERS[NEW])
    remove_all(docker_engine, [each for each in docker_engine.leftovers() if each.labels[RUN] == run_id])


@pytest.mark.parametrize(
    ("option", "refusal"),
    [
        ("name=rootless", "the engine has no root rights (rootless)"),
        ("name=userns", "the engine gives containers other user ids (`userns-remap`)"),
        ("name=selinux", "the engine labels files for SELinux"),
        ("name=seccomp,profile=default", None),
    ],
)
def test_engines_that_surely_cannot(option: str, refusal: str | None) -> None:
    """An engine without root rights, with other user ids, or with labels of SELinux is not tried, and the reason is told."""
    facts = overlay_facts({**INFO, "SecurityOptions": ["name=cgroupns", option]})

    assert facts == OverlayFacts("ABCD 28.5 6.1 /var/lib/docker", refusal)


@pytest.mark.parametrize("missing", list(INFO))
def test_an_engine_that_cannot_be_told_from_others(missing: str) -> None:
    """If the engine does not say which one it is, what a trial has shown is not kept."""
    assert overlay_facts({**INFO, missing: ""}) == OverlayFacts()


class Volumes(APIClient):
    """Answers questions about volumes."""

    def __init__(self, **answer: object) -> None:
        self._answer = answer

    def inspect_volume(self, name: str) -> dict[str, object]:
        """The same for each volume."""
        return {"Name": name, "Driver": "local", "Options": None, **self._answer}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"Mountpoint": "/v", "Driver": "nfs"}, "volume a is not a plain folder of the engine"),
        ({"Mountpoint": "/v", "Options": {"type": "overlay"}}, "volume a is not a plain folder of the engine"),
        ({"Mountpoint": "/v,w"}, "the engine keeps volumes in /v,w, and such a path cannot be an option of a mount"),
        ({"Mountpoint": "/v:w"}, "the engine keeps volumes in /v:w, and such a path cannot be an option of a mount"),
        ({}, "the engine keeps volumes in , and such a path cannot be an option of a mount"),
    ],
)
def test_volumes_that_cannot_be_shown(answer: Mapping[str, object], message: str) -> None:
    """Only plain folders with plain paths can be parts of an overlay: no path may look like another option."""
    with pytest.raises(EngineError) as raised:
        volume_arguments(Volumes(**answer), Overlay("a", "b", "new"))

    assert raised.value.message == message


def failing(times: int, text: str) -> Callable[[], int]:
    """Fails with this answer of the engine so many times, and then returns how often it was called."""
    calls = []

    @again_while_busy
    def do() -> int:
        calls.append(1)
        if len(calls) <= times:
            response = requests.Response()
            response.status_code = 500
            raise EngineError("cannot start") from APIError(text, response, text)
        return len(calls)

    return do


def test_a_busy_overlay_is_waited_for() -> None:
    """While the kernel takes an overlay for mounted, it is mounted again and again."""
    assert failing(3, BUSY)() == 4


@pytest.mark.parametrize("text", ["device or resource busy", BUSY.replace("device or resource busy", "invalid argument")])
def test_other_errors_are_raised_at_once(text: str) -> None:
    """No other error of the engine is waited for."""
    do = failing(1, text)

    with pytest.raises(EngineError):
        do()

    assert do() == 2


@pytest.mark.docker
def test_changes_stay_in_the_copy(
    docker_engine: DockerEngine, run_id: str, labels: Mapping[str, str], busybox: ResolvedImage, overlay: Overlay
) -> None:
    """What a container writes to a copy is in the copy, and not in the volume that is copied."""
    copy = volumes_of(docker_engine, run_id).overlaid("s", overlay)
    mounts = (
        ContainerMount("volume", copy, "/copy", read_only=False),
        ContainerMount("volume", overlay.origin, "/origin", read_only=True),
    )

    _, output = run(docker_engine, spec_of(busybox, labels, "echo y >> /copy/f; cat /copy/f /origin/f", mounts=mounts))

    assert output.stdout == b"xy\nx"


@pytest.mark.docker
def test_an_overlay_that_is_still_mounted_is_waited_for(
    docker_engine: DockerEngine, run_id: str, labels: Mapping[str, str], busybox: ResolvedImage, overlay: Overlay
) -> None:
    """A container starts as soon as nobody has the overlay mounted any more, and its input and output are complete."""
    volumes = volumes_of(docker_engine, run_id)
    holder, copy = volumes.overlaid("s", overlay), volumes.overlaid("s", overlay)
    keeps = spec_of(busybox, labels, "echo; sleep 600", mounts=(ContainerMount("volume", holder, "/v", read_only=False),))
    works = spec_of(busybox, labels, "cat; cat /v/f", mounts=(ContainerMount("volume", copy, "/v", read_only=False),))
    output = Output()
    with container(docker_engine, keeps) as first, container(docker_engine, works) as second:
        with running(docker_engine, first):
            timer = threading.Timer(1, docker_engine.stop, (first, 0))
            timer.start()
            begun = time.monotonic()
            state = docker_engine.run(second, b"input ", output)
            waited = time.monotonic() - begun
        timer.join()

    assert (state.exit_code, output.stdout) == (0, b"input x")
    assert waited >= 1


@pytest.mark.docker
def test_this_engine_can(docker_engine: DockerEngine, run_id: str, busybox: ResolvedImage) -> None:
    """The trial succeeds where everything works."""
    assert docker_engine.info().overlays.refusal is None
    assert trouble_with_overlays(docker_engine, volumes_of(docker_engine, run_id), busybox.id) is None
    remove_all(docker_engine, [each for each in docker_engine.leftovers() if each.labels[RUN] == run_id])


class OtherOptions(DockerEngine):
    """Makes overlays with other options."""

    replaced = ("", "")

    def create_volume(self, name: str, labels: Mapping[str, str], overlay: Overlay | None = None) -> None:
        arguments = volume_arguments(self._client, overlay)
        if overlay is not None:
            arguments["driver_opts"]["o"] = arguments["driver_opts"]["o"].replace(*self.replaced)
        self._client.create_volume(name, labels=marked(labels, name), **arguments)


@pytest.mark.docker
@pytest.mark.parametrize(
    ("replaced", "trouble"),
    [
        (("index=on", "index=off"), "a copy by an overlay differs in second"),
        (("redirect_dir=on", "no_such_option=on"), "invalid argument"),
    ],
)
def test_the_trial_finds_what_is_lost(
    docker_engine: DockerEngine, run_id: str, busybox: ResolvedImage, replaced: tuple[str, str], trouble: str
) -> None:
    """An engine whose overlays break hard links, or whose kernel does not know an option, fails the trial."""
    with closing(OtherOptions.connect()) as engine:
        engine.replaced = replaced
        found = trouble_with_overlays(engine, volumes_of(engine, run_id), busybox.id)

    assert found is not None
    assert trouble in found
    remove_all(docker_engine, [each for each in docker_engine.leftovers() if each.labels[RUN] == run_id])


@pytest.mark.docker
def test_what_a_killed_run_left_is_removed(
    docker_engine: DockerEngine, run_id: str, labels: Mapping[str, str], busybox: ResolvedImage, overlay: Overlay
) -> None:
    """The next run removes a running container, its copy by an overlay, and what the copy shows."""
    copy = volumes_of(docker_engine, run_id).overlaid("s", overlay)
    mounts = (ContainerMount("volume", copy, "/v", read_only=False),)
    spec = spec_of(busybox, {**labels, "dockercise.owner": "owner"}, "echo; sleep 600", mounts=mounts)
    with container(docker_engine, spec) as id_, running(docker_engine, id_):
        mine = [each for each in docker_engine.leftovers() if each.labels[RUN] == run_id]

        stuck = remove_all(docker_engine, mine)

    assert len(mine) == 4
    assert stuck == []
    assert not any(docker_engine.volume_exists(name) for name in (copy, overlay.origin, overlay.changes))
