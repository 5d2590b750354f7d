"""`package`: a folder becomes an image, and the image becomes a part of other pipelines."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import APIClient

from dockercise_prefect.runtime.cleanup.labels import PIPELINE
from dockercise_prefect.runtime.docker.connection import connect
from dockercise_prefect.runtime.docker.engine import DockerEngine
from tests.engines.scripted import BUSYBOX
from tests.support.command import Command

LIBRARY = """\
meta: {name: tools, defaults: {img: busybox}}
scan:
  run: |
    echo scanning
    exit 0
report: {after: [scan, build], neverFail: true, cpus: 0.50}
"""
CONSUMER = "build: {img: busybox, run: make}\nend: {img: busybox, after: report}\n"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder that is packaged."""
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "a.dockercise.yaml").write_text(LIBRARY)
    return folder


def test_the_document_can_be_seen_first(command: Command, library: Path) -> None:
    """`--print` shows what the image would print, and needs no engine."""
    outcome = command("package", str(library), "--print")

    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == (
        "meta:\n  defaults:\n    img: busybox\nscan:\n  run: |\n    echo scanning\n    exit 0\n"
        "report:\n  after:\n    - scan\n    - build\n  neverFail: true\n  cpus: 0.50\n"
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: {img: x, rnu: y}\n", "DK021"),
        ("a: {img: x}\na: {img: y}\n", "DK010"),
        ("a: [", "DK003"),
        ("a: {img: x, after: a}\n", "DK038"),
        ("meta: {subgraphs: Tools}\n", "DK024"),
        ("meta: {name: a/b}\na: {img: x}\n", "DK013"),
    ],
)
def test_what_is_wrong_is_not_packaged(command: Command, library: Path, text: str, code: str) -> None:
    """A folder with findings is refused before an engine is contacted, and the last line reports that nothing was built."""
    (library / "a.dockercise.yaml").write_text(text)

    outcome = command("package", str(library))

    assert (outcome.status, outcome.out) == (2, "")
    assert f" {code} " in outcome.err
    assert outcome.err.endswith(", nothing built\n")


def test_two_forms_of_variables_are_refused(command: Command, library: Path) -> None:
    """Two forms that one document cannot express are refused with both places."""
    (library / "a.dockercise.yaml").write_text("meta: {env: A=1}\n")
    (library / "b.dockercise.yaml").write_text("meta: {env: {B: 2}}\n")

    outcome = command("package", str(library))

    assert outcome.status == 2
    assert outcome.err.startswith("b.dockercise.yaml:1:13: DK011 ")


def test_warnings_stop_nothing(command: Command, library: Path) -> None:
    """Names that the folder does not define are not findings, and packages that it names are not read."""
    (library / "a.dockercise.yaml").write_text(
        "meta: {subgraphs: other}\na: {img: lib-img, on: lib-o, env: lib-e, vol: [lib-v]}\nb: {run: ls}\n"
    )

    outcome = command("package", str(library), "--print")

    assert (outcome.status, outcome.err) == (0, "")
    assert "subgraphs: other" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-t", "Tools"], "-t: `Tools` is not a valid image reference"),
        (["-t", "tools@sha256:" + "0" * 64], "has a digest"),
        (["--base", "Base"], "--base: `Base` is not a valid image reference"),
    ],
)
def test_wrong_names_are_usage_errors(command: Command, library: Path, arguments: list[str], message: str) -> None:
    """A name that is not a valid image name is status 2, before an engine is contacted."""
    outcome = command("package", str(library), *arguments)

    assert outcome.status == 2
    assert message in outcome.err


def test_a_folder_that_says_nothing(command: Command, library: Path) -> None:
    """Files without a stage or a setting make no package: status 4."""
    (library / "a.dockercise.yaml").write_text("# later\n")

    assert command("package", str(library), "--print").status == 4


def test_too_long_a_document_is_refused(command: Command, library: Path) -> None:
    """A document that is longer than the limit for reading once its aliases are written out is refused."""
    script = "x" * 100_000
    (library / "a.dockercise.yaml").write_text(
        f"x-s: &s {script}\n" + "".join(f"s{index}: {{img: x, run: *s}}\n" for index in range(170))
    )

    outcome = command("package", str(library), "--print")

    assert outcome.status == 2
    assert "the limit is 16,777,216" in outcome.err


# On an engine.


@pytest.fixture
def client(docker_session: DockerEngine) -> Iterator[APIClient]:
    """A client of the engine's API, independent of our own."""
    assert docker_session.info()
    client, _ = connect()
    yield client
    client.close()


@pytest.fixture
def image(client: APIClient) -> Iterator[str]:
    """A name for an image that is removed at the end, with everything it was built from."""
    name = f"dockercise-test/package-{secrets.token_hex(4)}"
    yield name
    if client.images(name):
        client.remove_image(name)
    assert client.images(name) == []


def _process(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dockercise_prefect", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ | variables, timeout=120)


def _left(client: APIClient, *images: str) -> list[str]:
    """The containers in which these images were run as packages, running or not."""
    filters = [{"label": f"{PIPELINE}={image}"} for image in images]
    return [each["Id"] for one in filters for each in client.containers(all=True, filters=one)]


def _made(client: APIClient, pipeline: str) -> list[str]:
    """All images that were packaged from a pipeline, with and without a name."""
    filters = {"label": f"dockercise.package={pipeline}"}
    return [each["Id"] for each in client.images(all=True, filters=filters)]


def _rename(library: Path, image: str) -> str:
    """Give the folder's pipeline a unique name, so that everything made from it can be found."""
    name = image.rpartition("/")[2]
    (library / "a.dockercise.yaml").write_text(LIBRARY.replace("tools", name))
    return name


@pytest.mark.docker
def test_from_a_folder_to_a_pipeline(library: Path, tmp_path: Path, client: APIClient, image: str) -> None:
    """A packaged folder is a part of another pipeline; its image is run once, and after that no engine is needed."""
    consumer = tmp_path / "consumer"
    consumer.mkdir()
    (consumer / "a.dockercise.yaml").write_text(f"meta: {{subgraphs: [{image}]}}\n{CONSUMER}")
    data, name = str(tmp_path / "data"), _rename(library, image)
    compile_ = ("compile", str(consumer), "--format", "json")

    built = _process("package", str(library), "-t", image, "--base", BUSYBOX)
    first = _process(*compile_, DOCKERCISE_DATA=data)
    again = _process(*compile_, DOCKERCISE_DATA=data)
    offline = _process(*compile_, "--offline", DOCKERCISE_DATA=data, DOCKER_HOST="unix:///nonexistent")

    id_ = client.inspect_image(image)["Id"]  # type: ignore[no-untyped-call]  # its stub has no types
    assert (built.returncode, built.stdout) == (0, f"built {image} ({id_})\nuse it:  meta: {{subgraphs: [{image}]}}\n")
    stages = json.loads(first.stdout)["stages"]
    assert list(stages) == ["build", "scan", "report", "end"]
    assert stages["scan"]["at"] == f"{image}@{id_}:4:1"
    assert stages["scan"]["run"] == "echo scanning\nexit 0\n"
    assert first.stderr == f"running the package {image}@{id_}\n"
    assert (again.stdout, again.stderr) == (first.stdout, "")
    assert (offline.stdout, offline.stderr) == (first.stdout, "")
    assert _left(client, image, id_) == []
    assert _made(client, name) == [id_]


@pytest.mark.docker
def test_the_image_prints_and_says_what_it_is(library: Path, client: APIClient, image: str) -> None:
    """The image has a label with the pipeline's name, prints its document by `cat`, and is not a leftover of a run."""
    _process("package", str(library), "-t", f"{image}:1", "--base", BUSYBOX)

    config = client.inspect_image(f"{image}:1")["Config"]  # type: ignore[no-untyped-call]  # its stub has no types
    client.remove_image(f"{image}:1")
    assert config["Labels"] == {"dockercise.package": "tools"}
    assert (config["Entrypoint"] or [], config["Cmd"]) == ([], ["cat", "/dockercise.yaml"])


@pytest.mark.docker
def test_the_same_folder_is_the_same_image(library: Path, client: APIClient, image: str) -> None:
    """Packaging again gives the existing image, so that nobody who has read it must run it again."""
    first = _process("package", str(library), "-t", image, "--base", BUSYBOX)
    second = _process("package", str(library), "-t", image, "--base", BUSYBOX)

    assert first.stdout == second.stdout
    assert first.returncode == 0


@pytest.mark.docker
def test_a_base_without_cat_leaves_nothing(library: Path, tmp_path: Path, client: APIClient, image: str) -> None:
    """A base image that cannot print the document is refused, and neither image nor container is left."""
    base, name = f"{image}-base", _rename(library, image)
    client.import_image_from_data(_empty_tar(), repository=base, tag="latest")

    outcome = _process("package", str(library), "-t", image, "--base", base)

    client.remove_image(base)
    assert (outcome.returncode, outcome.stdout) == (3, "")
    assert f"an image made from {base} cannot print the document" in outcome.stderr
    assert "use --base to name an image" in outcome.stderr
    assert (client.images(image), _made(client, name)) == ([], [])  # an image in use could not have been removed


def _empty_tar() -> bytes:
    import io
    import tarfile

    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("nothing"))
    return stream.getvalue()


@pytest.mark.docker
def test_rubbish_of_a_real_image(tmp_path: Path, client: APIClient) -> None:
    """An image that is not a package, here a shell without input, is a clear error, and nothing of it is left."""
    assert client.images(BUSYBOX)
    (tmp_path / "a.dockercise.yaml").write_text(f"meta: {{subgraphs: '{BUSYBOX}'}}\na: {{img: x}}\n")

    outcome = _process("compile", str(tmp_path), DOCKERCISE_DATA=str(tmp_path / "data"))

    assert outcome.returncode == 2
    assert "a.dockercise.yaml:1:19: DK061 the package dockercise-test/busybox@sha256:" in outcome.stderr
    assert "printed nothing" in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.docker
def test_compiling_packages_needs_no_prefect(library: Path, tmp_path: Path, client: APIClient, image: str) -> None:
    """A pipeline with packages imports the engine's SDK, but never Prefect, neither for compiling nor for packaging."""
    consumer = tmp_path / "consumer"
    consumer.mkdir()
    (consumer / "a.dockercise.yaml").write_text(f"meta: {{subgraphs: [{image}]}}\n{CONSUMER}")
    program = "import sys; from dockercise_prefect.cli import main\ntry: main()\nexcept SystemExit as end: print(end.code)\n"
    program += "print([name for name in ('prefect', 'docker') if name in sys.modules])"
    environment = os.environ | {"DOCKERCISE_DATA": str(tmp_path / "data")}

    said = [
        subprocess.run(
            [sys.executable, "-c", program, *arguments], check=False, capture_output=True, text=True, env=environment
        )
        for arguments in (["package", str(library), "-t", image, "--base", BUSYBOX], ["compile", str(consumer)])
    ]

    assert [each.stdout.splitlines()[-2:] for each in said] == [["0", "['docker']"]] * 2
