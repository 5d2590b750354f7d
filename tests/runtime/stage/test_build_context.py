"""What a build gets from a volume, on the scripted engine; only the files count."""

from __future__ import annotations

import tarfile

import pytest

from dockercise_prefect.errors import EngineError
from dockercise_prefect.pipeline import Build, CodeSnapshot, PullPolicy, StageVolume
from dockercise_prefect.runtime.engine import ContainerMount
from dockercise_prefect.runtime.stage.build_context import open_context, where
from tests.engines.driving import member, members_of, spec_of, tar_of
from tests.engines.scripted import BUSYBOX, ScriptedEngine

MOUNTED = "/context"


@pytest.fixture
def container(scripted: ScriptedEngine) -> str:
    """A container with an empty volume at `MOUNTED`."""
    scripted.create_volume("v", {})
    image = scripted.resolve_image(BUSYBOX, pull=PullPolicy.NEVER, platform=None, progress=lambda _: None)
    return scripted.create(spec_of(image, {}, "x", mounts=(ContainerMount("volume", "v", MOUNTED, read_only=False),)))


def fill(engine: ScriptedEngine, container: str, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    """Put files into the volume."""
    engine.put(container, MOUNTED, [tar_of(*members)])


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    """A symbolic or a hard link."""
    return member(name, kind, mode=0o751, link=target), b""


def folder(name: str) -> tuple[tarfile.TarInfo, bytes]:
    """A folder."""
    return member(name, tarfile.DIRTYPE, mode=0o750), b""


def test_the_folder_is_the_root_of_what_is_built(scripted: ScriptedEngine, container: str) -> None:
    """Paths are relative to the folder, modes and links are kept, and nothing outside the folder is included."""
    long = "d/" + "☃" * 60
    fill(
        scripted,
        container,
        (member("beside"), b"x"),
        folder("app"),
        (member("app/Dockerfile"), b"FROM x\n"),
        folder("app/d"),
        (member("app/d/f", mode=0o751), b"one"),
        link("app/d/l", "f"),
        link("app/d/h", "app/d/f", tarfile.LNKTYPE),
        (member(f"app/{long}"), b"long"),
    )

    context = open_context(scripted, container, MOUNTED, Build(CodeSnapshot(), "app"))
    found = members_of(context.stream)

    assert (context.dockerfile, context.ignore) == (b"FROM x\n", None)
    assert set(found) == {"Dockerfile", "d", "d/f", "d/l", "d/h", long}
    assert (found["d"][0].mode, found["d/f"][0].mode, found["d/h"][0].mode) == (0o750, 0o751, 0o751)
    assert found["d/l"][0].linkname == "f"
    assert {found["d/f"][0].type, found["d/h"][0].type} == {tarfile.REGTYPE, tarfile.LNKTYPE}
    assert found[long][1] == b"long"


def test_what_is_ignored_stays_behind(scripted: ScriptedEngine, container: str) -> None:
    """`.dockerignore` and the Dockerfile are handed over separately, whether they are ignored or not."""
    fill(
        scripted,
        container,
        (member(".aaa"), b""),
        (member(".dockerignore"), b"*\n!src\n"),
        (member("Dockerfile"), b"FROM x"),
        folder("src"),
        (member("src/f"), b"f"),
        (member("z"), b""),
    )

    context = open_context(scripted, container, MOUNTED, Build(CodeSnapshot()))

    assert (context.dockerfile, context.ignore) == (b"FROM x", b"*\n!src\n")
    assert set(members_of(context.stream)) == {"src", "src/f"}


def test_a_hard_link_to_an_ignored_file_is_a_file(scripted: ScriptedEngine, container: str) -> None:
    """If the target of hard links is ignored, the first included name has the content and the others are links to it."""
    fill(
        scripted,
        container,
        (member("Dockerfile"), b""),
        (member(".dockerignore"), b"a\n"),
        (member("a"), b"content"),
        link("b", "a", tarfile.LNKTYPE),
        link("c", "a", tarfile.LNKTYPE),
    )

    found = members_of(open_context(scripted, container, MOUNTED, Build(CodeSnapshot())).stream)

    assert found["b"][1] == b"content"
    assert found["b"][0].isreg()
    assert (found["c"][0].type, found["c"][0].linkname) == (tarfile.LNKTYPE, "b")
    assert "a" not in found


@pytest.mark.parametrize("target", ["docker/real", "/docker/real", "../../docker/real"])
def test_a_dockerfile_may_be_a_link(scripted: ScriptedEngine, container: str, target: str) -> None:
    """Links to the Dockerfile are followed, and none leads out of the folder."""
    fill(scripted, container, link("Dockerfile", target), folder("docker"), (member("docker/real"), b"FROM x"))

    context = open_context(scripted, container, MOUNTED, Build(CodeSnapshot()))

    assert context.dockerfile == b"FROM x"


@pytest.mark.parametrize("target", ["real/app", "/real/app", "../../real/app", "other"])
def test_a_folder_may_be_a_link(scripted: ScriptedEngine, container: str, target: str) -> None:
    """A folder behind links is built as if it had been named itself, and no link leads out of the mount."""
    files = [folder("real"), folder("real/app"), (member("real/app/Dockerfile"), b"FROM x"), link("other", "real/app")]
    fill(scripted, container, link("app", target), *files)

    context = open_context(scripted, container, MOUNTED, Build(CodeSnapshot(), "app"))

    assert context.dockerfile == b"FROM x"
    assert list(members_of(context.stream)) == ["Dockerfile"]


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (Build(CodeSnapshot(), "none"), "there is no `none` in the code to build from"),
        (Build(StageVolume("a"), "none/deep"), "there is no `none/deep` in the volume of a to build from"),
        (Build(CodeSnapshot(), "file"), "`file` in the code is not a folder"),
        (Build(CodeSnapshot(), "alias"), "there is no Dockerfile `Dockerfile` in `alias` in the code"),
        (Build(CodeSnapshot(), "to-file"), "`to-file` in the code is not a folder"),
        (Build(CodeSnapshot(), "circle"), "`circle` in the code is not a folder"),
        (Build(CodeSnapshot(), "app"), "there is no Dockerfile `Dockerfile` in `app` in the code"),
        (Build(StageVolume("a")), "there is no Dockerfile `Dockerfile` in the volume of a"),
        (Build(CodeSnapshot(), dockerfile="ci/None"), "there is no Dockerfile `ci/None` in the code"),
        (Build(CodeSnapshot(), dockerfile="app"), "`app` is not a file"),
        (Build(CodeSnapshot(), dockerfile="circle"), "leads back to itself"),
    ],
)
def test_what_is_not_there_is_named(scripted: ScriptedEngine, container: str, build: Build, says: str) -> None:
    """The error names a folder or Dockerfile that is missing or of another kind."""
    files = [folder("app"), (member("app/f"), b""), (member("file"), b""), link("alias", "app"), link("circle", "circle")]
    files += [link("to-file", "file")]
    fill(scripted, container, *files)

    with pytest.raises(EngineError) as caught:
        open_context(scripted, container, MOUNTED, build)

    assert says in caught.value.message


def test_a_folder_behind_a_link_is_found_out(scripted: ScriptedEngine, container: str) -> None:
    """If the engine finds the Dockerfile but sends only the link, the error reports that it is not a folder."""
    fill(scripted, container, (member("alias"), b""))
    build = Build(CodeSnapshot(), "alias", "../Dockerfile")
    fill(scripted, container, (member("Dockerfile"), b"FROM x"))

    context = open_context(scripted, container, MOUNTED, build)

    with pytest.raises(EngineError, match="`alias` in the code is not a folder"):
        list(context.stream)


def test_places_for_people() -> None:
    """A message names a folder together with the place that contains it."""
    assert where(Build(CodeSnapshot())) == "the code"
    assert where(Build(StageVolume("a☃"), "x/y")) == "`x/y` in the volume of a☃"
