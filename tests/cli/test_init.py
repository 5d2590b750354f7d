"""`init`: a first pipeline, which never overwrites anything."""

from __future__ import annotations

from pathlib import Path

from dockercise_prefect.compiler import compile_folder
from tests.support.command import Command


def test_first_pipeline_compiles(command: Command, tmp_path: Path) -> None:
    """`init` writes a pipeline without findings, and shows what to type next."""
    outcome = command("init")

    compiled = compile_folder(tmp_path)
    assert [stage.name for stage in compiled.pipeline] == ["greet", "shout", "list", "count"]
    assert compiled.warnings == ()
    assert outcome.status == 0
    assert "dockercise run\n" in outcome.out


def test_hint_names_the_folder(command: Command, tmp_path: Path) -> None:
    """For another folder, the command to type next names the folder, quoted for a shell."""
    (tmp_path / "my shop").mkdir()

    outcome = command("init", "my shop")

    assert "dockercise run -C 'my shop'\n" in outcome.out
    assert (tmp_path / "my shop" / "pipeline.dockercise.yaml").is_file()


def test_a_pipeline_is_left_alone(command: Command, tmp_path: Path) -> None:
    """If the folder has a pipeline, also deeper down, `init` writes nothing: status 2."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "x.dockercise.yml").write_text("mine")

    outcome = command("init")

    assert outcome.status == 2
    assert outcome.err.startswith("a pipeline already exists: deep/x.dockercise.yml\n")
    assert [path.name for path in tmp_path.rglob("*.y*ml")] == ["x.dockercise.yml"]


def test_a_link_is_left_alone(command: Command, tmp_path: Path) -> None:
    """If something else has the name of the file, for example a broken link, `init` does not write through it."""
    (tmp_path / "pipeline.dockercise.yaml").symlink_to("elsewhere")

    outcome = command("init")

    assert outcome.status == 2
    assert "cannot be written" in outcome.err
    assert not (tmp_path / "elsewhere").exists()


def test_missing_folder(command: Command) -> None:
    """A folder that does not exist is status 2."""
    assert command("init", "missing").status == 2


def test_first_pipeline_has_no_findings(command: Command) -> None:
    """`lint` has no findings in the pipeline that `init` wrote."""
    command("init")

    assert command("lint") == (0, "", "")
