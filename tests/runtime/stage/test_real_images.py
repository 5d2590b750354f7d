"""Images that stages build or leave: behaviour that only the real engine can show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from docker import APIClient
from docker.errors import ImageNotFound

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import built_from, code, host, stage
from dockercise_prefect.runtime.cleanup.removal import remove_all
from dockercise_prefect.runtime.docker.connection import Address, connect
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.image_build import BuildSpec
from tests.engines.driving import PATIENCE, Output
from tests.engines.line import line_to
from tests.engines.registry import registry
from tests.engines.scripted import BUSYBOX
from tests.runtime.workspaces import Ran, run_all, sh, workspace

pytestmark = pytest.mark.docker

MADE = re.compile(rb"^ ---> ([0-9a-f]{12})$", re.MULTILINE)
"""The id of an image that a step made, as the log of a build shows it."""


@pytest.fixture(scope="module")
def client() -> Iterator[APIClient]:
    """The SDK's own client, to check what our code did."""
    found, _ = connect()
    yield found
    found.close()


def write(root: Path, text: str) -> Path:
    """Write a folder with a Dockerfile."""
    (root / "Dockerfile").write_text(text)
    return root


def made_by(ran: Ran, client: APIClient) -> set[str]:
    """The short ids of the images that the build of `a` made: all in its log except the base image."""
    base = client.inspect_image(BUSYBOX)["Id"].removeprefix("sha256:")[:12]  # type: ignore[no-untyped-call]  # its stub has no types
    return {found.decode() for found in MADE.findall(ran.output["a", "stderr"])} - {base}


def there(client: APIClient, ids: set[str]) -> set[str]:
    """The images of these that are on the engine."""
    found = set()
    for id_ in ids:
        try:
            client.inspect_image(id_)  # type: ignore[no-untyped-call]  # its stub has no types
        except ImageNotFound:
            continue
        found.add(id_)
    return found


def test_dockerignore(docker_engine: DockerEngine, run_id: str, tmp_path: Path) -> None:
    """Ignored files are not in the image and exceptions are; an ignored Dockerfile is still used, as Docker does."""
    for name in ("a.tmp", "src/b.tmp", "src/c", "docs/x", "docs/keep", "docs/deep/y"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / ".dockerignore").write_text("**/*.tmp\ndocs\n!docs/keep\nDockerfile\n")
    (tmp_path / "src/c").chmod(0o751)
    (tmp_path / "src/link").symlink_to("c")
    text = f"FROM {BUSYBOX}\nCOPY . /built\n"
    look = "cd /built; find . -type f -o -type l | sort; readlink src/link; stat -c %a src/c"

    ran = run_all(docker_engine, stage("a", build=built_from(code), run=look), root=write(tmp_path, text), run_id=run_id)

    found = ["./.dockerignore", "./docs/keep", "./src/c", "./src/link", "c", "751"]
    assert ran.value("a").decode().split("\n") == found, ran.results


def test_without_a_dockerignore_none_is_made(docker_engine: DockerEngine, run_id: str, tmp_path: Path) -> None:
    """The build context contains nothing of ours, and its own Dockerfile is unchanged."""
    text = f"FROM {BUSYBOX}\nCOPY . /built\n"
    a = stage("a", build=built_from(code), run="ls -A /built; cat /built/Dockerfile")

    ran = run_all(docker_engine, a, root=write(tmp_path, text), run_id=run_id)

    assert ran.value("a").decode() == f"Dockerfile\n{text}".strip(), ran.results


@pytest.mark.parametrize(("end", "status"), [("true", "passed"), ("exit 3", "failed")])
def test_nothing_of_a_dockerfile_with_stages_is_left(  # noqa: PLR0917  fixtures
    docker_engine: DockerEngine, client: APIClient, run_id: str, tmp_path: Path, end: str, status: str
) -> None:
    """Whether the build passes or fails, each image in its log is gone, and the base image is still there."""
    text = f"""\
FROM {BUSYBOX} AS one
RUN echo 1 >/one
FROM {BUSYBOX} AS two
COPY --from=one /one /two
RUN {end}
FROM two
ENV A=1
"""

    with workspace(docker_engine, stage("a", build=built_from(code)), root=write(tmp_path, text), run_id=run_id) as ran:
        result = ran.run(ran.pipeline.by_name["a"])
        made = made_by(ran, client)
        before = there(client, made)

    assert result.status.value == status
    assert len(before) >= 4
    assert there(client, made) == set()
    assert client.images(BUSYBOX)


def test_a_stage_of_the_dockerfile_and_arguments(docker_engine: DockerEngine, run_id: str, tmp_path: Path) -> None:
    """The build stops at `target`, and arguments arrive."""
    text = f'FROM {BUSYBOX} AS one\nARG V\nRUN echo "$V" >/v\nFROM one\nRUN exit 9\n'
    a = stage("a", build=built_from(code, args={"V": "it's $HOME ☃"}, target="one"), run="cat /v")

    ran = run_all(docker_engine, a, root=write(tmp_path, text), run_id=run_id)

    assert ran.value("a").decode() == "it's $HOME ☃", ran.results


def test_an_untagged_image_that_others_began_with_stays(
    docker_engine: DockerEngine, client: APIClient, run_id: str, tmp_path: Path
) -> None:
    """An older image without a name does not count as part of an image that was made from it."""
    source = client.create_container(BUSYBOX, ["true"])["Id"]
    theirs = client.commit(source)["Id"]
    client.remove_container(source)
    a = stage("a", build=built_from(code))
    b = stage("b", image=theirs, run="> /f", pull="never")

    ran = run_all(
        docker_engine, a, b, sh("c", "ls /f", image=b), root=write(tmp_path, f"FROM {theirs}\nRUN true\n"), run_id=run_id
    )
    still = there(client, {theirs})
    client.remove_image(theirs)

    assert {result.status.value for result in ran.results.values()} == {"passed"}, ran.results
    assert still == {theirs}


def test_a_committed_image_is_configured_like_its_own(
    docker_engine: DockerEngine, client: APIClient, run_id: str, tmp_path: Path
) -> None:
    """Entrypoint, command, variables, user and folder are those of the stage's image, and the labels are added."""
    text = f"""\
FROM {BUSYBOX}
RUN mkdir -m 1777 /w && mkdir -p /etc && echo 'node:x:1000:1001::/:/bin/sh' >/etc/passwd
ENV A=image
WORKDIR /w
USER node
ENTRYPOINT ["/bin/echo"]
CMD ["hello"]
LABEL of=image
"""
    a = stage("a", build=built_from(code))
    b = sh("b", "echo x >/w/f", image=a, env={"A": "stage", "B": "stage"}, user="0")
    c = stage("c", image=b)
    d = sh("d", 'echo "$A,${B-unset},$(id -u)"; cat /w/f', image=b)

    with workspace(docker_engine, a, b, c, d, root=write(tmp_path, text), run_id=run_id) as ran:
        for each in ran.pipeline:
            ran.run(each)
        built, committed = (
            client.inspect_image(str(ran.results[name].image_digest))["Config"]  # type: ignore[no-untyped-call]  # its stub has no types
            for name in ("a", "c")
        )

    assert ran.value("c") == b"hello", ran.results
    assert ran.value("d").decode() == "image,unset,1000\nx"
    same = ("Entrypoint", "Cmd", "Env", "User", "WorkingDir", "Volumes", "ExposedPorts", "OnBuild")
    assert {key: committed.get(key) for key in same} == {key: built.get(key) for key in same}
    assert committed["Labels"]["of"] == "image"
    assert (built["Labels"]["dockercise.stage"], committed["Labels"]["dockercise.stage"]) == ("a", "b")


def test_no_image_shows_a_value(docker_engine: DockerEngine, client: APIClient, run_id: str) -> None:
    """Inspecting the images shows neither a stage's value nor an outside variable, nor even a literal."""
    a = sh("a", "echo v4lue")
    b = sh("b", "true", image=BUSYBOX, env={"A": a.value, "TOKEN": host("TOKEN"), "LEVEL": "l1teral"})

    with workspace(docker_engine, a, b, sh("c", "true", image=b), run_id=run_id) as ran:
        for each in ran.pipeline:
            ran.run(each, {"TOKEN": "outs1de"} if each is b else {})
        image = str(ran.results["c"].image_digest)
        said = json.dumps([client.inspect_image(image), client.history(image)])  # type: ignore[no-untyped-call]  # its stub has no types

    assert ran.results["c"].status.value == "passed"
    assert not [word for word in ("v4lue", "outs1de", "l1teral") if word in said]


def test_an_image_without_a_shell_leaves_one(
    docker_engine: DockerEngine, client: APIClient, run_id: str, tmp_path: Path
) -> None:
    """The image's own command runs without a shell, and the variables of the container are unset in the image."""
    text = f'FROM {BUSYBOX} AS b\nFROM scratch\nCOPY --from=b /bin/busybox /busybox\nCMD ["/busybox", "mkdir", "/made"]\n'
    a = stage("a", build=built_from(code))
    own = stage("own", image=a, env={"LEVEL": "l1teral"})
    after = stage("after", image=own, env={})

    with workspace(docker_engine, a, own, after, root=write(tmp_path, text), run_id=run_id) as ran:
        results = [ran.run(each) for each in ran.pipeline]
        config = client.inspect_image(str(results[2].image_digest))["Config"]  # type: ignore[no-untyped-call]  # its stub has no types

    assert [result.exit_code for result in results] == [0, 0, 1], results
    assert b"File exists" in ran.output["after", "stderr"]
    assert not [variable for variable in config["Env"] if "=" in variable and not variable.startswith("PATH=")]


def test_only_builds(docker_engine: DockerEngine, run_id: str, tmp_path: Path) -> None:
    """If all stages only build, files travel through an image that a stage built."""
    one, two = stage("one", build=built_from(code)), stage("two", build=built_from(code), after=[])

    ran = run_all(docker_engine, one, two, root=write(tmp_path, f"FROM {BUSYBOX}\nRUN true\n"), run_id=run_id)

    assert {result.status.value for result in ran.results.values()} == {"passed"}, ran.results


def test_what_a_build_leaves_that_nobody_ends_is_found(
    docker_engine: DockerEngine, docker_session: DockerEngine, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the connection is lost, as when a process is killed, all of the build is known as ours, including its steps."""
    spec = BuildSpec(
        what="a", dockerfile=f"FROM {BUSYBOX}\nRUN > /f\nRUN echo up; sleep 1000\n".encode(), labels={"dockercise.run": run_id}
    )
    output = Output()
    with line_to(docker_session.info().url, tmp_path) as line:
        monkeypatch.setenv("DOCKER_HOST", line.url)
        with closing(DockerEngine.connect()) as engine:
            build = engine.build(spec, [b"\0" * 1024])
            with ThreadPoolExecutor() as pool:
                future = pool.submit(build.run, output)
                assert output.said(b"up\n")
                step = [each.kind for each in docker_session.leftovers() if each.labels["dockercise.run"] == run_id]
                line.cut()
                lost = future.exception(PATIENCE)

    left = [each for each in docker_session.leftovers() if each.labels["dockercise.run"] == run_id]
    stuck = remove_all(docker_session, left)

    assert isinstance(lost, EngineError)
    assert step == ["container", "image", "image"]
    assert [each.kind for each in left].count("image") == 2
    assert stuck == []


def test_a_build_from_a_private_registry(client: APIClient, run_id: str) -> None:
    """The builder gets the credentials of a registry, and no message shows wrong ones."""
    with registry(str(client.version()["Arch"]), login=("me", "sesame")) as hub:
        ref = f"{hub.host}/test/hello:1"
        spec = BuildSpec(what="a", dockerfile=f"FROM {ref}\n".encode(), labels={"dockercise.run": run_id}, pull=True)
        wrong = DockerEngine(client, Address("", "a test"), has_init=True, credentials={hub.host: ("me", "wrong-secret")})
        right = DockerEngine(client, Address("", "a test"), has_init=True, credentials={hub.host: ("me", "sesame")})

        with pytest.raises(EngineError, match="cannot build the image of a") as caught:
            wrong.build(spec, [b"\0" * 1024]).run(Output())
        end = right.build(spec, [b"\0" * 1024]).run(Output())
        assert end.image is not None
        client.remove_image(end.image)
        for image in client.images(f"{hub.host}/test/hello"):
            client.remove_image(image["Id"], force=True)

    assert "wrong-secret" not in str(caught.value)
