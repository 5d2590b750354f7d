"""What counts as ours on a real engine; things of others are never touched, whatever labels they have."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from docker import APIClient
from docker.errors import APIError, ImageNotFound

from dockercise_prefect.pipeline import PullPolicy, built_from, code, stage
from dockercise_prefect.runtime.cleanup.ownership import Owner, sweep, this_process
from dockercise_prefect.runtime.docker.connection import connect
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.engine import Leftover
from dockercise_prefect.runtime.image_build import BuildSpec
from tests.engines.driving import Output, spec_of
from tests.engines.scripted import BUSYBOX
from tests.runtime.workspaces import sh, workspace

pytestmark = [pytest.mark.docker, pytest.mark.alone]  # other runs at the same time would remove the things of a dead run


class Others:
    """Another user of the engine; `forget` removes everything that they have made."""

    def __init__(self, client: APIClient) -> None:
        self.client = client
        self.containers: list[str] = []
        self.images: list[str] = []

    def start(self, image: str, labels: dict[str, str] | None = None) -> str:
        """Start a container that keeps running."""
        id_: str = self.client.create_container(image, ["sleep", "1000"], entrypoint=[], labels=labels)["Id"]
        self.containers.append(id_)
        self.client.start(id_)
        return id_

    def build(self, dockerfile: str, tag: str | None = None) -> str:
        """Build an image."""
        events = list(self.client.build(fileobj=io.BytesIO(dockerfile.encode()), tag=tag, rm=True, decode=True))
        ids = [event["aux"]["ID"] for event in events if "aux" in event]
        assert ids, events
        self.images.append(ids[-1])
        return str(ids[-1])

    def commit(self, container: str) -> str:
        """Make an image of a container."""
        id_: str = self.client.commit(container)["Id"]
        self.images.append(id_)
        return id_

    def tag(self, image: str, name: str) -> str:
        """Give the image a name of their own."""
        self.client.tag(image, name)
        self.images.append(name)
        return name

    def missing(self) -> list[str]:
        """The things of the other user that are gone or no longer run."""
        gone = []
        for id_ in self.containers:
            try:
                if not self.client.inspect_container(id_)["State"]["Running"]:
                    gone.append(id_)
            except APIError:
                gone.append(id_)
        for image in self.images:
            try:
                self.client.inspect_image(image)  # type: ignore[no-untyped-call]  # its stub has no types
            except ImageNotFound:
                gone.append(image)
        return gone

    def forget(self) -> None:
        """Remove everything."""
        for id_ in self.containers:
            self.client.remove_container(id_, force=True, v=True)
        for image in reversed(self.images):
            with suppress(ImageNotFound):
                self.client.remove_image(image, force=True)


@pytest.fixture
def others() -> Iterator[Others]:
    """Another user, whose things are removed at the end."""
    client, _ = connect()
    found = Others(client)
    yield found
    found.forget()
    client.close()


def of(engine: DockerEngine, run_id: str) -> list[Leftover]:
    """Everything that counts as a run's."""
    return [each for each in engine.leftovers() if each.labels["dockercise.run"] == run_id]


def dead(engine: DockerEngine, host: str = "") -> str:
    """An owner that counts as dead: this process before its start, or a process in a container that is gone."""
    me = this_process(engine)
    return str(replace(me, start="1", host=host or me.host))


DOCKERFILE = f"FROM {BUSYBOX} AS one\nRUN echo 1 >/one\nFROM {BUSYBOX}\nCOPY --from=one /one /two\nENV A=1\nCMD true\n"


@pytest.mark.parametrize("host", ["this", "another"])
def test_what_others_make_of_our_images_survives_run_and_sweep(  # noqa: PLR0917  fixtures
    docker_engine: DockerEngine, others: Others, run_id: str, tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers of an image that a stage built or left, images built from it and their containers all stay.

    Neither the end of the run nor a sweep removes them, although their labels look like those of a dead process, on this
    machine or in an unknown container.
    """
    owner = dead(docker_engine, "" if host == "this" else f"container:{'0' * 64}@2020-01-01T00:00:00Z")
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    built, left = stage("a", build=built_from(code)), sh("b", "> /f")
    monkeypatch.setattr("dockercise_prefect.runtime.workspace.this_process", lambda _engine: Owner.parse(owner))

    with workspace(docker_engine, built, left, sh("c", "true", image=left), root=tmp_path, run_id=run_id) as ran:
        for each in ran.pipeline:
            ran.run(each)
        for name in ("a", "c"):
            image = str(ran.results[name].image_digest)
            theirs = others.build(f"FROM {image}\nRUN true\n")
            named = others.build(f"FROM {image}\nRUN echo {name}\n", tag=f"dockercise-test/others-{run_id}-{name}")
            for each_image in (image, theirs, named, others.commit(others.start(image))):
                others.start(each_image)
        labels = others.client.inspect_container(others.containers[0])["Config"]["Labels"]
        others.start(BUSYBOX, labels)
    after_run = others.missing()
    sweep(docker_engine, this_process(docker_engine), lambda _: None)

    assert {result.status.value for result in ran.results.values()} == {"passed"}, ran.results
    assert labels["dockercise.run"] == run_id
    assert (after_run, others.missing()) == ([], [])
    assert of(docker_engine, run_id) == []


def test_a_named_image_stays(docker_engine: DockerEngine, others: Others, run_id: str, tmp_path: Path) -> None:
    """A stage's image that somebody gives a name still exists after the run and after a sweep."""
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    name = f"dockercise-test/named-{run_id}:1"

    with workspace(docker_engine, stage("a", build=built_from(code)), root=tmp_path, run_id=run_id) as ran:
        image = str(ran.run(ran.pipeline.by_name["a"]).image_digest)
        others.tag(image, name)

    assert others.missing() == []
    assert of(docker_engine, run_id) == []


def test_an_image_named_after_it_was_listed_stays(docker_engine: DockerEngine, others: Others, run_id: str) -> None:
    """An image is checked once more just before its removal."""
    spec = BuildSpec(what="a", dockerfile=f"FROM {BUSYBOX}\n".encode(), labels={"dockercise.run": run_id})
    image = docker_engine.build(spec, [b"\0" * 1024]).run(Output()).image
    assert image is not None
    (listed,) = of(docker_engine, run_id)

    others.tag(image, f"dockercise-test/late-{run_id}:1")
    docker_engine.discard(listed)

    assert others.missing() == []


def test_a_volume_with_copied_labels_stays(docker_engine: DockerEngine, others: Others, run_id: str) -> None:
    """A volume that we did not make stays."""
    ours, theirs = f"dockercise-{run_id}-ours", f"dockercise-{run_id}-theirs"
    docker_engine.create_volume(ours, {"dockercise.run": run_id})
    labels = others.client.inspect_volume(ours)["Labels"]
    others.client.create_volume(theirs, labels=labels)

    found = of(docker_engine, run_id)
    docker_engine.remove_volume(ours)
    others.client.remove_volume(theirs)

    assert found == [Leftover("volume", ours, {"dockercise.run": run_id})]


def test_all_that_a_dead_run_left_is_found_and_goes(docker_engine: DockerEngine, run_id: str) -> None:
    """Containers, volumes, every image of a build with stages, and an image made of a container are removed."""
    labels = {"dockercise.run": run_id, "dockercise.owner": dead(docker_engine)}
    image = docker_engine.resolve_image(BUSYBOX, pull=PullPolicy.NEVER, platform=None, progress=lambda _: None)
    docker_engine.create_volume(f"dockercise-{run_id}", labels)
    built = docker_engine.build(BuildSpec(what="a", dockerfile=DOCKERFILE.encode(), labels=labels), [b"\0" * 1024])
    assert built.run(Output()).image
    id_ = docker_engine.create(spec_of(image, labels, "true"))
    docker_engine.run(id_, b"", Output())
    docker_engine.commit(id_, image.id, labels)

    kinds = [each.kind for each in of(docker_engine, run_id)]
    sweep(docker_engine, this_process(docker_engine), lambda _: None)

    assert kinds == ["container", "volume", *["image"] * 7]
    assert of(docker_engine, run_id) == []
