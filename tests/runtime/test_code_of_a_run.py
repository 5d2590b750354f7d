"""The code of a run: one snapshot for all its stages, and its digest."""

from pathlib import Path

import pytest

from dockercise_prefect.archives.content_digest import content_digested
from dockercise_prefect.errors import DefinitionError, EngineError
from dockercise_prefect.pipeline import code, code_folder
from dockercise_prefect.runtime.docker.engine import DockerEngine
from dockercise_prefect.runtime.engine import Engine
from tests.engines.scripted import Behaviour, ScriptedEngine
from tests.runtime.workspaces import Seen, run_all, sh, workspace


def test_the_code_is_one_snapshot(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """A change below the root after the beginning of the run is not seen by later stages, and the mount is read-only."""
    (tmp_path / "f").write_text("before")
    seen = Seen("/code/f")
    scripted.script("look", Behaviour(action=seen))
    a, b = sh("a", "x", volumes=[code]), sh("b", "look", volumes=[code])

    with workspace(scripted, a, b, root=tmp_path) as ran:
        ran.run(a)
        (tmp_path / "f").write_text("after")
        ran.run(b)

    assert seen.files == {"/code/f": b"before"}
    assert [mount.read_only for spec in scripted.specs for mount in spec.mounts if mount.target == "/code"] == [True, True]


def test_code_without_a_root_is_an_error(scripted: ScriptedEngine) -> None:
    """A pipeline that uses the code cannot run without a root."""
    with pytest.raises(EngineError, match="root"), workspace(scripted, sh("a", "x", volumes=[code])):
        pass


def test_on_code_belongs_to_the_user_of_the_stage(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """The user of the stage can change a copy of the code."""
    (tmp_path / "f").write_text("x")
    owners: dict[str, tuple[int, int]] = {}
    scripted.script("look", Behaviour(action=lambda c: owners.update({name: (e.uid, e.gid) for name, e in c.below("/a")})))

    run_all(scripted, sh("a", "look", on=code, user="1000:1001"), root=tmp_path)

    assert owners["a/f"] == (1000, 1001)


def test_the_digest_of_the_code(engine: Engine, run_id: str, tmp_path: Path) -> None:
    """A stage that copies the code and changes nothing leaves a volume with the digest of the code."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_text("text")
    (tmp_path / "folder/file").chmod(0o750)
    (tmp_path / "link").symlink_to("folder/file")
    found: list[str] = []

    with workspace(engine, sh("a", "true", on=code), root=tmp_path, run_id=run_id) as ran:
        ran.run(ran.pipeline.by_name["a"])
        of_code = ran.workspace.code_digest
    for _ in content_digested([ran.volumes["a"] or b""], "a", found.append):
        pass

    assert found == [of_code]


def test_without_code_there_is_no_digest_of_it(scripted: ScriptedEngine) -> None:
    """If no stage uses the code, it is not read."""
    with workspace(scripted, sh("a", "x")) as ran:
        ran.run(ran.pipeline.by_name["a"])

        assert ran.workspace.code_digest is None


@pytest.mark.docker
def test_a_folder_of_the_code_alone(docker_engine: DockerEngine, run_id: str, tmp_path: Path) -> None:
    """A mounted folder has its files at the same path as in the code, read-only, and nothing else of the code is there."""
    for path in ("app/inner/f", "other/g"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(path)
    (tmp_path / "app/inner/f").chmod(0o750)
    script = "find /code /x -type f -perm 750 | sort; cat /code/app/inner/f; ! touch /code/app/new"
    look = sh("a", script, volumes=[code_folder("app"), code_folder("app/inner").at("/x")])

    ran = run_all(docker_engine, look, root=tmp_path, run_id=run_id)

    assert ran.value("a") == b"/code/app/inner/f\n/x/f\napp/inner/f"


@pytest.mark.docker
def test_a_folder_inside_of_the_code(docker_engine: DockerEngine, run_id: str, tmp_path: Path) -> None:
    """A folder can be mounted together with all of the code, because a script may name another path of it."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/f").write_text("x")
    (tmp_path / "g").write_text("y")

    look = sh("a", "cat /code/app/f /code/g", volumes=[code_folder("app"), code])
    ran = run_all(docker_engine, look, root=tmp_path, run_id=run_id)

    assert ran.value("a") == b"xy"


def test_folders_that_the_code_does_not_have_are_named_before_the_first_stage(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """Every missing folder, and every file in place of a folder, is reported with the place of its stage; nothing starts."""
    (tmp_path / "file").write_text("x")
    a = sh("a", "x", volumes=[code_folder("missing")], at="p.dockercise.yaml:1:1")
    b = sh("b", "x", volumes=[code_folder("file")], at="p.dockercise.yaml:2:1")

    with pytest.raises(DefinitionError) as refused, workspace(scripted, a, b, root=tmp_path):
        pass

    assert str(refused.value).splitlines()[0::2] == [
        "p.dockercise.yaml:1:1: DK053 a cannot mount `code/missing`: the code has no such folder",
        "p.dockercise.yaml:2:1: DK053 b cannot mount `code/file`: it is not a folder",
    ]
    assert scripted.runs == []


def test_a_folder_is_of_the_same_snapshot(scripted: ScriptedEngine, tmp_path: Path) -> None:
    """A change below the root after the beginning of the run is not seen in a folder either."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/f").write_text("before")
    seen = Seen("/code/app/f")
    scripted.script("look", Behaviour(action=seen))
    a = sh("a", "look", volumes=[code_folder("app")])

    with workspace(scripted, a, root=tmp_path) as ran:
        (tmp_path / "app/f").write_text("after")
        ran.run(a)

        assert ran.workspace.code_digest is None
    assert seen.files == {"/code/app/f": b"before"}
