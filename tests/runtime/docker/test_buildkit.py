"""Builds with BuildKit, through the `docker` command."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
from docker import APIClient
from docker.errors import NotFound

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import PullPolicy, built_from, code, host, stage
from dockercise_prefect.runtime.cleanup.removal import remove_all
from dockercise_prefect.runtime.docker.buildkit import arguments, failed_end
from dockercise_prefect.runtime.docker.connection import connect
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.docker.marks import build_name
from dockercise_prefect.runtime.engine import Leftover
from dockercise_prefect.runtime.image_build import BuildEnd, BuildSpec
from tests.engines.driving import PATIENCE, Output, member, run, spec_of, tar_of
from tests.engines.registry import registry
from tests.engines.scripted import BUSYBOX
from tests.runtime.workspaces import run_all, sh

Labels = Mapping[str, str]

FILE = tar_of((member("f"), b"hello\n"))

needs_engine = pytest.mark.docker


@pytest.fixture
def client() -> Iterator[APIClient]:
    """The engine's API, to check what our code did."""
    client, _ = connect()
    yield client
    client.close()


def left(engine: DockerEngine, labels: Labels) -> list[Leftover]:
    """Everything that the test has made."""
    return [each for each in engine.leftovers() if each.labels.get("dockercise.run") == labels["dockercise.run"]]


def spec(labels: Labels, *lines: str, base: str = BUSYBOX, **further: object) -> BuildSpec:
    """A build on the tests' image."""
    text = "\n".join((f"FROM {base}", *lines, "")).encode()
    return BuildSpec(what="a", dockerfile=text, labels=labels, **further)  # type: ignore[arg-type]  # as each test says them


def test_all_of_a_build_is_said() -> None:
    """Each part of a build is an option of the command, and the context comes through standard input."""
    words = arguments(
        BuildSpec(
            what="a",
            dockerfile=b"",
            labels={"dockercise.run": "r"},
            path="d/F",
            args={"A": "1 2"},
            target="t",
            network="none",
            platform="linux/arm64",
            pull=True,
            secrets={"T": b"hidden"},
        ),
        "m",
    )

    assert words == [
        *("--progress=plain", "--tag", "dockercise-build:m", "--file", "d/F", "--network", "none"),
        *("--label", "dockercise.run=r", "--label", "dockercise.mark=m", "--build-arg", "A=1 2"),
        *("--secret", "id=T,env=DOCKERCISE_SECRET_0", "--target", "t", "--platform", "linux/arm64", "--pull", "-"),
    ]


@pytest.mark.parametrize(
    "last",
    [
        'ERROR: failed to build: failed to solve: process "/bin/sh -c exit 3" did not complete successfully: exit code: 3',
        "executor failed running [/bin/sh -c echo exit code: 1\nexit 3]: exit code: 3",
    ],
)
def test_a_step_that_fails_has_an_exit_code(last: str) -> None:
    """The exit code is read from the last line of the log."""
    assert failed_end(f"#5 0.1 exit code: 1\n------\n{last}\n\n".encode(), "cannot build") == BuildEnd(None, 3)


@pytest.mark.parametrize(
    ("log", "says"),
    [
        ("#5 0.1 exit code: 1\nERROR: failed to build: failed to solve: no space left\n", "cannot build: no space left"),
        (
            "failed to solve with frontend dockerfile.v0: failed to create LLB definition: x: not found",
            "cannot build: x: not found",
        ),
        ("", "printed nothing"),
    ],
)
def test_everything_else_is_an_error_of_the_engine(log: str, says: str) -> None:
    """Any other failure is an error whose message leaves out the prefixes that BuildKit always adds."""
    with pytest.raises(EngineError, match=says):
        failed_end(log.encode(), "cannot build")


@needs_engine
def test_a_build_makes_an_image_that_runs(buildkit: DockerEngine, client: APIClient, labels: Labels) -> None:
    """A build with features of BuildKit logs to stderr, and its image is found and removed as ours."""
    output, new = Output(), secrets.token_hex(8)
    text = ("COPY f /f", f"RUN --mount=type=cache,target=/cache echo {new} built here; cat /f > /g")

    end = buildkit.build(spec(labels, *text), [FILE]).run(output)
    assert end.image is not None
    image = buildkit.resolve_image(end.image, pull=PullPolicy.NEVER, platform=None, progress=lambda _: None)
    _, said = run(buildkit, spec_of(image, labels, "cat /g"))
    made = left(buildkit, labels)
    stuck = remove_all(buildkit, made)

    assert (end.exit_code, said.stdout) == (0, b"hello\n")
    assert b"built here\n" in output.stderr
    assert output.stdout == b""
    assert [(each.kind, each.id, each.labels) for each in made] == [("image", end.image, dict(labels))]
    assert (stuck, left(buildkit, labels)) == ([], [])
    with pytest.raises(NotFound):
        client.inspect_image(end.image)  # type: ignore[no-untyped-call]  # its stub has no types


@needs_engine
def test_a_secret_reaches_its_step_alone(
    buildkit: DockerEngine, client: APIClient, labels: Labels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step gets the secret byte for byte; the image, its history, the build's description and its log do not show it."""
    secret, output = f"it's {secrets.token_hex(8)} ☃\n".encode(), Output()
    step = f"RUN --mount=type=secret,id=TOKEN md5sum < /run/secrets/TOKEN > /sum # {secrets.token_hex(8)}"
    wanted = spec(labels, step, secrets={"TOKEN": secret})

    end = buildkit.build(wanted, [FILE]).run(output)
    assert end.image is not None
    image = buildkit.resolve_image(end.image, pull=PullPolicy.NEVER, platform=None, progress=lambda _: None)
    _, said = run(buildkit, spec_of(image, labels, "cat /sum; ls -A /run/secrets"))
    known = [client.inspect_image(end.image), client.history(end.image), wanted, output.stderr]  # type: ignore[no-untyped-call]  # no types
    remove_all(buildkit, left(buildkit, labels))

    assert said.stdout.split()[0].decode() == hashlib.md5(secret, usedforsecurity=False).hexdigest()
    assert secret.decode().split()[1] not in str(known)


@needs_engine
def test_a_stage_gives_its_build_secrets(buildkit: DockerEngine, run_id: str, tmp_path: Path) -> None:
    """Secrets come from outside variables and from values of stages, under the names of the variables."""
    new = secrets.token_hex(4)
    step = f"RUN --mount=type=secret,id=KEY --mount=type=secret,id=LOGIN cat /run/secrets/* > /found # {secrets.token_hex(8)}"
    (tmp_path / "Dockerfile").write_text(f"FROM {BUSYBOX}\n{step}\n")
    login = sh("login", f"printf {new}-value")
    build = built_from(code, secrets=["KEY", "LOGIN"])
    a = stage("a", build=build, env={"KEY": host("key"), "LOGIN": login.value}, run="cat /found")

    ran = run_all(buildkit, login, a, root=tmp_path, outside={"KEY": "outside-"}, run_id=run_id)

    assert ran.value("a").decode() == f"outside-{new}-value", ran.results


@needs_engine
def test_secrets_need_buildkit(docker_engine: DockerEngine, labels: Labels) -> None:
    """The engine's own builder cannot pass on secrets, so nothing is built without BuildKit."""
    with pytest.raises(EngineError, match=r"its `secrets` need BuildKit, but DOCKER_BUILDKIT=0") as caught:
        docker_engine.build(spec(labels, "RUN true", secrets={"TOKEN": b"hidden"}), [FILE])

    assert "hidden" not in str(caught.value)


@needs_engine
def test_the_cache_is_used(buildkit: DockerEngine, labels: Labels) -> None:
    """A step that another run has done is not repeated."""
    text = f"RUN echo {secrets.token_hex(8)} done"
    first, second = Output(), Output()

    for output in (first, second):
        buildkit.build(spec(labels, text), [FILE]).run(output)
        remove_all(buildkit, left(buildkit, labels))

    assert b" done\n" in first.stderr.replace(text.encode(), b"")
    assert b"CACHED" in second.stderr


@needs_engine
def test_a_dockerfile_that_is_left_out_of_the_context(buildkit: DockerEngine, labels: Labels) -> None:
    """The build finds a Dockerfile that is ignored, in whatever folder it is."""
    end = buildkit.build(spec(labels, "COPY . /x", path="docker/File", ignore=b"docker\n"), [FILE]).run(Output())
    remove_all(buildkit, left(buildkit, labels))

    assert end.image is not None


@needs_engine
def test_a_step_that_fails(buildkit: DockerEngine, labels: Labels) -> None:
    """The exit code of the step is known, and nothing is left."""
    output = Output()

    end = buildkit.build(spec(labels, "RUN echo why; exit 3"), [FILE]).run(output)

    assert end == BuildEnd(None, 3)
    assert b"why\n" in output.stderr
    assert left(buildkit, labels) == []


@needs_engine
def test_a_build_that_cannot_be(buildkit: DockerEngine, labels: Labels) -> None:
    """A failure without a step's exit code is an error that names the image's stage and the reason."""
    with pytest.raises(EngineError, match=r"cannot build the image of a: .*none"):
        buildkit.build(spec(labels, "COPY none /"), [FILE]).run(Output())


@needs_engine
def test_a_build_that_is_stopped(buildkit: DockerEngine, labels: Labels) -> None:
    """A build that is stopped, even twice, ends with an error and leaves nothing."""
    output = Output()
    build = buildkit.build(spec(labels, f"RUN echo up {secrets.token_hex(8)}; sleep 1000"), [FILE])
    with ThreadPoolExecutor() as pool:
        future = pool.submit(build.run, output)
        assert output.begun.wait(PATIENCE)

        build.stop()
        build.stop()
        with pytest.raises(EngineError, match="interrupted"):
            future.result(PATIENCE)

    assert left(buildkit, labels) == []


@needs_engine
def test_a_build_that_is_stopped_before_it_begins(buildkit: DockerEngine, labels: Labels) -> None:
    """A build that is stopped before it begins does not begin."""
    build = buildkit.build(spec(labels, "RUN true"), [FILE])

    build.stop()

    with pytest.raises(EngineError, match="interrupted"):
        build.run(Output())


@needs_engine
def test_a_context_that_fails(buildkit: DockerEngine, labels: Labels) -> None:
    """A failure of the code that makes the stream is raised unchanged."""

    def chunks() -> Iterator[bytes]:
        yield FILE[:512]
        raise PermissionError(13, "no", "/secret/file")

    with pytest.raises(PermissionError, match="/secret/file"):
        buildkit.build(spec(labels, "RUN true"), chunks()).run(Output())


@needs_engine
def test_what_others_make_of_it_or_call_it_stays(buildkit: DockerEngine, client: APIClient, labels: Labels) -> None:
    """An image that also has another name loses only ours; a container that others start from it is not taken for ours."""
    name, tag = f"dockercise-test/kept-{secrets.token_hex(4)}", "1"
    end = buildkit.build(spec(labels, "RUN true"), [FILE]).run(Output())
    assert end.image is not None
    client.tag(end.image, name, tag)
    container = client.create_container(f"{name}:{tag}", "true")["Id"]
    try:
        before = left(buildkit, labels)
        client.remove_container(container)
        stuck = remove_all(buildkit, left(buildkit, labels))
        tags = client.inspect_image(f"{name}:{tag}")["RepoTags"]  # type: ignore[no-untyped-call]  # its stub has no types
    finally:
        with suppress(NotFound):
            client.remove_container(container, force=True)
        client.remove_image(f"{name}:{tag}", force=True)

    assert container not in {each.id for each in before}
    assert (stuck, tags) == ([], [f"{name}:{tag}"])


@needs_engine
def test_limits_of_a_step_are_for_the_engines_own_builder(buildkit: DockerEngine, labels: Labels) -> None:
    """The engine's own builder applies such limits; a Dockerfile that also needs BuildKit is refused, with the line."""
    output = Output()

    end = buildkit.build(spec(labels, "RUN true", memory=1 << 27), [FILE]).run(output)
    remove_all(buildkit, left(buildkit, labels))
    refusal = r"`RUN --mount` on line 2 of `Dockerfile` needs BuildKit, but a limit of `memory`"
    with pytest.raises(EngineError, match=refusal) as refused:
        buildkit.build(spec(labels, "RUN --mount=type=cache,target=/c true", memory=1 << 27), [FILE])

    assert refused.value.hint == "remove the limit from the stage"
    assert end.image is not None
    assert b"Step 1/" in output.stderr


@needs_engine
def test_without_buildkit_a_dockerfile_that_needs_it_is_refused(docker_engine: DockerEngine, labels: Labels) -> None:
    """The refusal comes before the build, with the line and the reason."""
    with pytest.raises(EngineError, match=r"a here-document on line 2 of `Dockerfile` needs BuildKit, but DOCKER_BUILDKIT=0"):
        docker_engine.build(spec(labels, "RUN <<E", "true", "E"), [FILE])


@needs_engine
def test_a_build_from_a_private_registry(
    buildkit: DockerEngine, client: APIClient, labels: Labels, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The builder gets the credentials of a registry, and no message shows wrong ones."""
    with registry(str(client.version()["Arch"]), login=("me", "sesame")) as hub:
        ref = f"{hub.host}/test/hello:1"
        with closing(DockerEngine.connect({hub.host: ("me", "wrong-secret")})) as wrong, pytest.raises(EngineError) as caught:
            wrong.build(spec(labels, base=ref, pull=True), [FILE]).run(Output())
        with closing(DockerEngine.connect({hub.host: ("me", "sesame")})) as right:
            end = right.build(spec(labels, base=ref, pull=True), [FILE]).run(Output())
        remove_all(buildkit, left(buildkit, labels))

    assert end.image is not None
    assert "wrong-secret" not in str(caught.value)


def test_the_name_of_an_image_says_whose_it_is() -> None:
    """The name of the image contains the build's mark."""
    assert build_name("m") == "dockercise-build:m"
