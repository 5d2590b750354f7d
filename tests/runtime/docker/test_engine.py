"""Behaviour that only the real engine can show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from docker import APIClient

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import PullPolicy
from dockercise_prefect.runtime.docker.connection import Address, connect
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.engine import ContainerMount, ExitState, ResolvedImage
from dockercise_prefect.runtime.output_sink import Channel
from tests.engines.driving import PATIENCE, Output, container, member, run, running, spec_of, tar_of
from tests.engines.line import line_to
from tests.engines.registry import Registry, registry
from tests.engines.scripted import BUSYBOX

pytestmark = pytest.mark.docker

Labels = Mapping[str, str]


@pytest.fixture
def image(docker_engine: DockerEngine) -> ResolvedImage:
    """The image of the tests."""
    return docker_engine.resolve_image(BUSYBOX, pull=PullPolicy.NEVER, platform=None, progress=lambda _: None)


@pytest.fixture
def client(docker_session: DockerEngine) -> Iterator[APIClient]:
    """The engine's API, to check what our code did."""
    client, _ = connect()
    yield client
    client.close()


@pytest.fixture
def architecture(client: APIClient) -> str:
    """The architecture of the engine's machine."""
    return str(client.version()["Arch"])


@pytest.fixture
def hub(client: APIClient, architecture: str) -> Iterator[Registry]:
    """A registry with one image, which is removed from the engine at the end."""
    with registry(architecture) as hub:
        yield hub
        _forget(client, hub)


def _forget(client: APIClient, hub: Registry) -> None:
    for image in client.images(f"{hub.host}/test/hello"):
        client.remove_image(image["Id"], force=True)


# Images.


def test_a_missing_image_is_pulled_once(docker_engine: DockerEngine, hub: Registry) -> None:
    """A missing image is pulled and reported in a line; afterwards it is present, and its digest is that of the registry."""
    ref, lines = f"{hub.host}/test/hello", list[str]()

    first = docker_engine.resolve_image(ref, pull=PullPolicy.MISSING, platform=None, progress=lines.append)
    asked = len(hub.requests)
    second = docker_engine.resolve_image(ref, pull=PullPolicy.MISSING, platform=None, progress=lines.append)

    assert first == second
    assert first.digest == f"{hub.host}/test/hello@{hub.digest}"
    assert (first.user, first.command) == ("1000", ("/hello", "there"))
    assert lines == [f"pulling {ref}"]
    assert len(hub.requests) == asked
    assert not any("tags" in path for path in hub.requests)


def test_always_asks_the_registry(docker_engine: DockerEngine, hub: Registry) -> None:
    """With `always` the registry is asked each time."""
    ref = f"{hub.host}/test/hello:1"
    docker_engine.resolve_image(ref, pull=PullPolicy.MISSING, platform=None, progress=lambda _: None)
    asked = len(hub.requests)

    docker_engine.resolve_image(ref, pull=PullPolicy.ALWAYS, platform=None, progress=lambda _: None)

    assert len(hub.requests) > asked


def test_never_asks_nobody(docker_engine: DockerEngine, hub: Registry) -> None:
    """With `never`, a missing image is an error with advice how to get it, and the registry gets no request."""
    with pytest.raises(EngineError, match=r"test/hello:1 is not on the engine"):
        docker_engine.resolve_image(f"{hub.host}/test/hello:1", pull=PullPolicy.NEVER, platform=None, progress=lambda _: None)

    assert hub.requests == []


def test_an_image_by_digest(docker_engine: DockerEngine, hub: Registry) -> None:
    """A reference with a digest is pulled and recorded by it."""
    ref = f"{hub.host}/test/hello:ignored@{hub.digest}"

    image = docker_engine.resolve_image(ref, pull=PullPolicy.MISSING, platform=None, progress=lambda _: None)

    assert image.digest == f"{hub.host}/test/hello@{hub.digest}"


@pytest.mark.parametrize("pull", [PullPolicy.MISSING, PullPolicy.ALWAYS])
def test_an_image_that_does_not_exist(docker_engine: DockerEngine, hub: Registry, pull: PullPolicy) -> None:
    """An image that its registry does not know is an error that names it and what to check."""
    ref = f"{hub.host}/test/absent:1"

    with pytest.raises(EngineError, match=f"cannot pull image {ref}") as caught:
        docker_engine.resolve_image(ref, pull=pull, platform=None, progress=lambda _: None)

    assert "check the name" in str(caught.value.hint)


def test_a_registry_that_does_not_answer(docker_engine: DockerEngine) -> None:
    """A registry that does not exist is an error that names the image."""
    with pytest.raises(EngineError, match=r"cannot pull image 127\.0\.0\.1:1/nobody"):
        docker_engine.resolve_image("127.0.0.1:1/nobody/none", pull=PullPolicy.MISSING, platform=None, progress=lambda _: None)


def test_credentials_given_for_a_registry(client: APIClient, architecture: str) -> None:
    """A private image is pulled with the credentials for its registry; wrong ones fail, and no message shows them."""
    with registry(architecture, login=("me", "sesame")) as hub:
        ref = f"{hub.host}/test/hello:1"
        wrong = DockerEngine(client, Address("", "a test"), has_init=True, credentials={hub.host: ("me", "wrong-secret")})
        right = DockerEngine(
            client, Address("", "a test"), has_init=True, credentials={f"https://{hub.host}/v2/": ("me", "sesame")}
        )

        with pytest.raises(EngineError, match=ref) as caught:
            wrong.resolve_image(ref, pull=PullPolicy.MISSING, platform=None, progress=lambda _: None)
        image = right.resolve_image(ref, pull=PullPolicy.MISSING, platform=None, progress=lambda _: None)
        _forget(client, hub)

    assert "wrong-secret" not in str(caught.value)
    assert image.ref == ref


def test_credentials_of_the_users_configuration(
    client: APIClient, architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A private image is pulled with the credentials that `docker login` stored."""
    with registry(architecture, login=("me", "sesame")) as hub:
        (tmp_path / "config.json").write_text(json.dumps({"auths": {hub.host: {"auth": "bWU6c2VzYW1l"}}}))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        monkeypatch.setenv("DOCKER_HOST", connect()[1].url)
        engine = DockerEngine.connect()

        image = engine.resolve_image(f"{hub.host}/test/hello", pull=PullPolicy.MISSING, platform=None, progress=lambda _: None)
        engine.close()
        _forget(client, hub)

    assert image.command == ("/hello", "there")


def test_an_image_for_another_platform(docker_engine: DockerEngine, image: ResolvedImage) -> None:
    """A local image for another platform than the requested one is not used."""
    with pytest.raises(EngineError, match="not for linux/s390x"):
        docker_engine.resolve_image(BUSYBOX, pull=PullPolicy.NEVER, platform="linux/s390x", progress=lambda _: None)


def test_an_image_by_its_id(docker_engine: DockerEngine, image: ResolvedImage) -> None:
    """An id means the image on this engine; no registry is asked for it."""
    found = docker_engine.resolve_image(image.id, pull=PullPolicy.ALWAYS, platform=None, progress=lambda _: None)

    assert (found.id, found.digest) == (image.id, image.id)


def test_an_entrypoint_that_is_in_the_way(docker_engine: DockerEngine, client: APIClient, labels: Labels) -> None:
    """Our command runs in an image whose entrypoint is another program, also as another user than the image's."""
    changes = ['ENTRYPOINT ["/bin/false"]', 'CMD ["no"]', "USER 1000", "ENV PATH=/bin", "HEALTHCHECK CMD exit 1"]
    repository, tag = "dockercise-test/entrypoint", labels["dockercise.run"]
    source = client.create_container(BUSYBOX, "true", labels=dict(labels))["Id"]
    client.import_image_from_data(b"".join(client.export(source)), repository=repository, tag=tag, changes=changes)
    docker_engine.remove(source)
    image = docker_engine.resolve_image(f"{repository}:{tag}", pull=PullPolicy.NEVER, platform=None, progress=lambda _: None)

    state, output = run(docker_engine, spec_of(image, labels, "id -u"))
    client.remove_image(image.id, force=True)

    assert (image.user, image.command) == ("1000", ("/bin/false", "no"))
    assert (state, output.stdout) == (ExitState(0), b"1000\n")


@pytest.mark.parametrize("has_init", [True, False])
@pytest.mark.parametrize(("command", "code"), [("/bin/sh", 127), ("/file", 126)])
def test_an_image_without_a_shell(
    client: APIClient, docker_engine: DockerEngine, labels: Labels, command: str, code: int, *, has_init: bool
) -> None:
    """A missing or non-executable command is distinguished from a script's own 126 or 127, with or without an init process."""
    repository, tag = "dockercise-test/noshell", labels["dockercise.run"]
    client.import_image_from_data(tar_of((member("file"), b"no program")), repository=repository, tag=tag)
    engine = DockerEngine(client, Address("", "a test"), has_init=has_init and docker_engine.info().has_init, credentials={})
    image = engine.resolve_image(f"{repository}:{tag}", pull=PullPolicy.NEVER, platform=None, progress=lambda _: None)

    state, _ = run(engine, spec_of(image, labels, command, "-c", "true"))
    client.remove_image(image.id, force=True)

    assert state.exit_code == code
    assert state.start_error is not None
    assert command in state.start_error


# Runs.


def test_many_at_once(docker_engine: DockerEngine, image: ResolvedImage, labels: Labels) -> None:
    """Fifty containers run, twenty at a time, each with its own input, output and exit code."""

    def one(number: int) -> tuple[int, bytes, bytes]:
        script = f"cat; echo err-{number} >&2; exit {number}"
        state, output = run(docker_engine, spec_of(image, labels, script), f"given-{number}".encode())
        return state.exit_code, output.stdout, output.stderr

    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(one, range(50)))

    assert results == [(number, f"given-{number}".encode(), f"err-{number}\n".encode()) for number in range(50)]


def test_fifty_megabytes_of_output(docker_engine: DockerEngine, image: ResolvedImage, labels: Labels) -> None:
    """A large output arrives completely."""
    digest, size = hashlib.sha256(), 0

    def sink(channel: Channel, chunk: bytes) -> None:
        nonlocal size
        digest.update(chunk)
        size += len(chunk)

    with container(docker_engine, spec_of(image, labels, "yes 0123456 | head -c 50000000")) as id_:
        docker_engine.run(id_, b"", sink)

    assert size == 50_000_000
    assert digest.digest() == hashlib.sha256(b"0123456\n" * 6_250_000).digest()


def test_out_of_memory(docker_engine: DockerEngine, image: ResolvedImage, labels: Labels) -> None:
    """A container that the kernel killed for its memory is reported as out of memory.

    A busy engine now and then gets no word of that from the kernel, so this is tried up to five times.
    """
    ends: list[ExitState] = []
    while True not in [end.oom_killed for end in ends] and len(ends) < 5:
        ends.append(run(docker_engine, spec_of(image, labels, "/bin/tail", "/dev/zero", memory=16 << 20))[0])

    assert {end.exit_code for end in ends} == {137}
    assert ends[-1].oom_killed


def test_more_processors_than_there_are(docker_engine: DockerEngine, image: ResolvedImage, labels: Labels) -> None:
    """A stage that may use more processors than the engine has may use all of them."""
    state, _ = run(docker_engine, spec_of(image, labels, "true", cpus=4096))

    assert state == ExitState(0)


def test_killed_from_outside(docker_engine: DockerEngine, client: APIClient, image: ResolvedImage, labels: Labels) -> None:
    """A container that somebody kills has exit code 137 and did not run out of memory."""
    with (
        container(docker_engine, spec_of(image, labels, "echo ready; sleep 1000")) as id_,
        running(docker_engine, id_) as future,
    ):
        client.kill(id_)
        state = future.result(PATIENCE)

    assert state == ExitState(137)


def test_input_is_stored_nowhere(docker_engine: DockerEngine, client: APIClient, image: ResolvedImage, labels: Labels) -> None:
    """Nothing that the engine shows of a container contains its input."""
    spec = spec_of(image, labels, "read -r secret; echo ready; sleep 1000")

    with container(docker_engine, spec) as id_, running(docker_engine, id_, b"sesame-open\n"):
        inspected = json.dumps(client.inspect_container(id_))

    assert "sesame-open" not in inspected


def test_a_user_that_is_not_there(docker_engine: DockerEngine, image: ResolvedImage, labels: Labels) -> None:
    """If the engine refuses to start a container, the error has the engine's message."""
    with pytest.raises(EngineError, match=r"cannot start container .*nobody-of-that-name"):
        run(docker_engine, spec_of(image, labels, "true", user="nobody-of-that-name"))


def test_a_folder_that_is_not_there(docker_engine: DockerEngine, image: ResolvedImage, labels: Labels) -> None:
    """A missing folder on the engine's machine is an error that names it, and the folder is not made."""
    mounts = (ContainerMount("host", "/no/such/folder", "/data", read_only=True),)

    with pytest.raises(EngineError, match="/no/such/folder"):
        run(docker_engine, spec_of(image, labels, "true", mounts=mounts))


def test_an_engine_that_goes_away(
    docker_engine: DockerEngine, image: ResolvedImage, labels: Labels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the connection breaks during a run, the end is an error and never an exit code that we guessed."""
    with line_to(docker_engine.info().url, tmp_path) as line:
        monkeypatch.setenv("DOCKER_HOST", line.url)
        cut_off = DockerEngine.connect()
        id_ = docker_engine.create(spec_of(image, labels, "echo ready; sleep 1000"))
        seen = list[bytes]()

        def cut(channel: Channel, chunk: bytes) -> None:
            seen.append(chunk)
            line.cut()

        with pytest.raises(EngineError, match="no answer from the engine"):
            cut_off.run(id_, b"", cut)
        with pytest.raises(EngineError, match="no answer from the engine"):
            cut_off.info()
        cut_off.close()
    docker_engine.remove(id_)

    assert seen == [b"ready\n"]


def test_output_that_a_gateway_ends(
    docker_engine: DockerEngine, image: ResolvedImage, labels: Labels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the output stream ends in order while the container runs, that is an error, since later output would be lost."""
    with line_to(docker_engine.info().url, tmp_path) as line:
        monkeypatch.setenv("DOCKER_HOST", line.url)
        behind = DockerEngine.connect()
        spec = spec_of(image, labels, "echo one; sleep 5; echo two")
        with container(docker_engine, spec) as id_, pytest.raises(EngineError, match="was interrupted"):
            behind.run(id_, b"", lambda _channel, _chunk: line.end_stream("stdout=1"))
        behind.close()


def test_a_sink_that_fails(docker_engine: DockerEngine, image: ResolvedImage, labels: Labels) -> None:
    """A failure of the code that takes the output is raised unchanged, and the container can be removed."""

    def full(channel: Channel, chunk: bytes) -> None:
        raise OSError(28, "No space left on device")

    with container(docker_engine, spec_of(image, labels, "yes")) as id_, pytest.raises(OSError, match="No space left"):
        docker_engine.run(id_, b"", full)


def test_a_container_runs_on_its_own_output(docker_engine: DockerEngine, image: ResolvedImage, labels: Labels) -> None:
    """The engine waits for a container that closes its output and goes on."""
    state, output = run(docker_engine, spec_of(image, labels, "echo said; exec >&- 2>&-; sleep 1; exit 9"))

    assert (state, output.stdout) == (ExitState(9), b"said\n")


def test_no_answer_in_time(
    docker_engine: DockerEngine, image: ResolvedImage, labels: Labels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conversation with a container that prints nothing ends with an error."""
    monkeypatch.setattr("dockercise_prefect.runtime.docker.conversation.ANSWER_SECONDS", 0.01)

    with container(docker_engine, spec_of(image, labels, "sleep 1000")) as id_:
        conversation = docker_engine.converse(id_)
        with pytest.raises(EngineError, match="did not answer"):
            conversation.ask("anybody?")
        conversation.close()


def test_output_is_taken_while_input_waits(docker_engine: DockerEngine, image: ResolvedImage, labels: Labels) -> None:
    """A container that prints much before it reads its large input can finish both."""
    output = Output()
    script = "yes 0123456 | head -c 3000000; wc -c"

    with container(docker_engine, spec_of(image, labels, script)) as id_:
        docker_engine.run(id_, b"x" * 3_000_000, output)

    assert len(output.stdout) == 3_000_000 + len("3000000\n")
