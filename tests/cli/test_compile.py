"""`compile`: what it writes, where it writes it, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.command import Command

GOOD = "build: {img: x, run: make}\ntest: {img: x, after: build, run: make test}\nother: {img: x}\n"
BAD = "build: {img: x, rnu: make}\ntest: {img: x, after: biuld}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder `shop` with a pipeline."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "a.dockercise.yaml").write_text(GOOD)
    return folder


def test_module_on_standard_output(command: Command, root: Path) -> None:
    """Without options the module is printed, and the module uses its own folder as the root."""
    outcome = command("compile", str(root))

    assert outcome.status == 0
    assert outcome.out.startswith('"""Prefect flow `shop`: 3 stages from 1 file.')
    assert "\nROOT = Path(__file__).resolve().parent\n" in outcome.out
    assert outcome.err == ""


def test_here_is_the_root_by_default(command: Command, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a root the working directory is compiled, and the pipeline has the name of the directory."""
    monkeypatch.chdir(root)

    assert json.loads(command("compile", "--format", "json").out)["name"] == "shop"


@pytest.mark.parametrize("arguments", [["shop"], ["-C", "shop"], ["--root", "shop"], ["shop", "-C", "shop"]])
def test_root_by_argument_or_option(command: Command, root: Path, arguments: list[str]) -> None:
    """The root may be an argument or an option, or both when they agree."""
    assert root.exists()

    assert command("compile", *arguments).status == 0


def test_targets_are_kept_with_what_they_need(command: Command, root: Path) -> None:
    """`--target` keeps a stage and everything it needs, in JSON and in the module, and the output records the target."""
    printed = json.loads(command("compile", str(root), "--target", "test", "--format", "json").out)
    module = command("compile", str(root), "--target", "test").out

    assert printed["targets"] == ["test"]
    assert list(printed["stages"]) == ["build", "test"]
    assert printed["digest"] in module
    assert "other" not in module


def test_clean_up_stages_of_targets_are_kept(command: Command, root: Path) -> None:
    """`--target` also keeps the clean-up stages that belong to the run, with the `after` that is left of theirs."""
    (root / "b.dockercise.yaml").write_text("drop: {img: x, run: drop, after: [build, other], when: always}\n")

    printed = json.loads(command("compile", str(root), "--target", "test", "--format", "json").out)

    assert list(printed["stages"]) == ["build", "test", "drop"]
    assert [edge["stage"] for edge in printed["stages"]["drop"]["depends_on"]] == ["build"]
    assert "other" not in command("compile", str(root), "--target", "test").out


def test_unknown_target(command: Command, root: Path) -> None:
    """A target that is not a stage is status 2 with the stage that was probably meant, and prints nothing on stdout."""
    outcome = command("compile", str(root), "--target", "tset")

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("DK040 the target `tset` is not a stage of shop\n  hint: did you mean `test`?\n")


def test_folder_gets_a_file_named_after_the_pipeline(command: Command, root: Path, tmp_path: Path) -> None:
    """`-o DIR` creates the folder if needed, and the module in it finds the root relative to itself."""
    outcome = command("compile", str(root), "-o", "made/flows")

    text = (tmp_path / "made" / "flows" / "shop.py").read_text()
    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")
    assert '\nROOT = Path(__file__).resolve().parent / "../../shop"\n' in text


@pytest.mark.parametrize(
    ("name", "suffix"), [("python", "py"), ("json", "json"), ("text", "txt"), ("mermaid", "mmd"), ("dot", "dot")]
)
def test_file_with_the_right_ending(command: Command, root: Path, tmp_path: Path, name: str, suffix: str) -> None:
    """`-o FILE` writes that file if its ending is the ending of the format, otherwise a file in a folder of that name."""
    command("compile", str(root), "--format", name, "-o", f"there.{suffix}")
    command("compile", str(root), "--format", name, "-o", "there.dir")

    assert (tmp_path / f"there.{suffix}").is_file()
    assert (tmp_path / "there.dir" / f"shop.{suffix}").is_file()


def test_written_file_is_an_ordinary_one(command: Command, root: Path, tmp_path: Path) -> None:
    """The file has the permissions of any new file, a link to it stays a link, and nothing else is left."""
    (tmp_path / "out").mkdir()
    (tmp_path / "real.py").write_text("old")
    (tmp_path / "out" / "shop.py").symlink_to("../real.py")
    mask = os.umask(0o027)

    command("compile", str(root), "-o", "out")
    os.umask(mask)

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["shop.py"]
    assert (tmp_path / "out" / "shop.py").is_symlink()
    assert (tmp_path / "real.py").read_text().startswith('"""Prefect flow')
    assert (tmp_path / "real.py").stat().st_mode & 0o777 == 0o640


def test_place_that_cannot_be_written(command: Command, root: Path, tmp_path: Path) -> None:
    """A place that cannot be written is status 2 with the reason, not a traceback."""
    (tmp_path / "file").write_text("kept")

    outcome = command("compile", str(root), "-o", "file/x.py")

    assert outcome.status == 2
    assert "file/x.py cannot be written" in outcome.err
    assert (tmp_path / "file").read_text() == "kept"


def test_findings_write_nothing(command: Command, root: Path, tmp_path: Path) -> None:
    """With findings nothing is written, an existing file stays, and the last line reports it."""
    (root / "a.dockercise.yaml").write_text(BAD)
    (tmp_path / "shop.py").write_text("old")

    outcome = command("compile", str(root), "-o", ".")

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.splitlines()[-1] == "2 findings in 1 file, nothing written"
    assert (tmp_path / "shop.py").read_text() == "old"


def test_warnings_are_shown_and_the_module_is_written(command: Command, root: Path) -> None:
    """A warning goes to stderr; the output is complete and the status is 0."""
    (root / "a.dockercise.yaml").write_text("join: {user: root}\n")

    outcome = command("compile", str(root))

    assert outcome.status == 0
    assert outcome.err.startswith("a.dockercise.yaml:1:14: DK026 warning: ")
    assert outcome.out.startswith('"""Prefect flow')


def test_no_file_is_status_4(command: Command) -> None:
    """Without any file there is nothing to do: status 4, one line and a hint, and no traceback."""
    outcome = command("compile")

    assert outcome.status == 4
    assert outcome.err == "nothing to do: no *.dockercise.yaml below .\n  hint: `dockercise init` writes a first one\n"


def test_files_that_git_ignores_are_named(command: Command, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If git ignores every file, the message reports it and shows how to find the rule."""
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    (root / ".gitignore").write_text("*.yaml\n")
    monkeypatch.chdir(root)

    outcome = command("compile")

    assert outcome.status == 4
    assert outcome.err == (
        "nothing to do: git ignores every *.dockercise.yaml below ., such as a.dockercise.yaml\n"
        "  hint: `git check-ignore -v a.dockercise.yaml` shows the rule\n"
    )


def test_files_without_a_stage_are_fine(command: Command, root: Path) -> None:
    """Files that define no stage compile to a pipeline without stages."""
    (root / "a.dockercise.yaml").write_text("meta: {tags: x}\n")

    outcome = command("compile", str(root))

    assert outcome.status == 0
    assert "0 stages from 0 files" in outcome.out


def test_missing_root(command: Command) -> None:
    """A root that does not exist is status 2."""
    outcome = command("compile", "missing")

    assert outcome.status == 2
    assert outcome.err.startswith("missing is not a folder\n")


def test_check_of_what_is_up_to_date(command: Command, root: Path) -> None:
    """`--check` prints nothing if the file is up to date."""
    command("compile", str(root), "-o", ".")

    outcome = command("compile", str(root), "-o", ".", "--check")

    assert outcome == (0, "", "")


def test_check_shows_the_difference(command: Command, root: Path, tmp_path: Path) -> None:
    """`--check` fails with a diff if the file differs, and does not change the file."""
    command("compile", str(root), "-o", ".")
    before = (tmp_path / "shop.py").read_text()
    (root / "a.dockercise.yaml").write_text(GOOD.replace("make test", "make check"))

    outcome = command("compile", str(root), "-o", ".", "--check")

    assert outcome.status == 2
    assert '-    run="make test",\n+    run="make check",\n' in outcome.out
    assert outcome.err == "shop.py is not up to date\n  hint: run the same command without --check\n"
    assert (tmp_path / "shop.py").read_text() == before


def test_check_of_a_missing_file(command: Command, root: Path, tmp_path: Path) -> None:
    """`--check` of a file that does not exist fails, and does not write it."""
    outcome = command("compile", str(root), "-o", "none.py", "--check")

    assert outcome.status == 2
    assert outcome.out.startswith("--- none.py\n+++ none.py (compiled)\n")
    assert not (tmp_path / "none.py").exists()


def test_check_needs_an_output(command: Command, root: Path) -> None:
    """`--check` without `-o` has nothing to compare: status 2."""
    outcome = command("compile", str(root), "--check")

    assert outcome.status == 2
    assert "name it with -o" in outcome.err
