"""`graph`: what it draws, where it writes it, and with which program."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import Command


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder `shop` with a pipeline."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "a.dockercise.yaml").write_text("make: {img: x}\ntest: {img: x, vol: make}\nother: {img: x}\n")
    return folder


@pytest.fixture
def no_graphviz(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A PATH without any program."""
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


def test_listing_without_a_file(command: Command, root: Path) -> None:
    """Without -o the graph is listed on standard output, one line a stage."""
    assert command("graph", str(root)).out == "make\ntest   after make (vol)\nother\n"


def test_targets_narrow_it(command: Command, root: Path) -> None:
    """`--target` keeps a stage, everything it needs, and the clean-up stages of its run."""
    (root / "b.dockercise.yaml").write_text("drop: {img: x, after: [make, other], when: always}\n")

    assert (
        command("graph", "-C", str(root), "--target", "test").out == "make\ntest  after make (vol)\ndrop  after make (after)\n"
    )


@pytest.mark.parametrize(
    ("ending", "beginning"),
    [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("dot", b"digraph"), ("mmd", b"---\ntitle")],
)
def test_the_ending_chooses(command: Command, root: Path, tmp_path: Path, ending: str, beginning: bytes) -> None:
    """The ending of the file chooses the format; Graphviz draws the pictures."""
    outcome = command("graph", str(root), "-o", f"made/g.{ending}")

    assert outcome == (0, "", "")
    assert (tmp_path / "made" / f"g.{ending}").read_bytes().startswith(beginning)


@pytest.mark.usefixtures("no_graphviz")
def test_svg_without_graphviz(command: Command, root: Path, tmp_path: Path) -> None:
    """Without Graphviz an .svg is still drawn, as `--layout own` draws it."""
    outcome = command("graph", str(root), "-o", "auto.svg")
    command("graph", str(root), "--layout", "own", "-o", "own.svg")

    assert outcome == (0, "", "")
    assert (tmp_path / "auto.svg").read_bytes().startswith(b"<svg xmlns")
    assert (tmp_path / "auto.svg").read_bytes() == (tmp_path / "own.svg").read_bytes()


@pytest.mark.usefixtures("no_graphviz")
@pytest.mark.parametrize("arguments", [["-o", "g.png"], ["-o", "g.pdf"], ["-o", "g.svg", "--layout", "graphviz"]])
def test_what_needs_graphviz_says_so(command: Command, root: Path, tmp_path: Path, arguments: list[str]) -> None:
    """Without Graphviz, a format that needs it is status 2 with a hint, and nothing is written."""
    outcome = command("graph", str(root), *arguments)

    assert outcome.status == 2
    assert "is not installed: there is no `dot` on the PATH\n  hint: install Graphviz" in outcome.err
    assert not list(tmp_path.glob("g.*"))


def test_graphviz_that_fails(command: Command, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If Graphviz fails, its own message is shown."""
    program = tmp_path / "bin" / "dot"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho no plugin >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")

    outcome = command("graph", str(root), "-o", "g.png")

    assert outcome.status == 2
    assert "dot cannot draw this: no plugin\n  hint: " in outcome.err


def test_own_layout_draws_svg_only(command: Command, root: Path) -> None:
    """`--layout own` with another picture is status 2."""
    outcome = command("graph", str(root), "--layout", "own", "-o", "g.png")

    assert outcome.status == 2
    assert "can only draw an .svg, not a .png" in outcome.err


@pytest.mark.parametrize(
    ("name", "hint"), [("g.sgv", "did you mean `g.svg`?"), ("g", "the supported endings are .svg, .png, .pdf, .dot, .mmd")]
)
def test_unknown_ending(command: Command, root: Path, name: str, hint: str) -> None:
    """A file with an unknown ending is status 2 with the known endings."""
    outcome = command("graph", str(root), "-o", name)

    assert outcome.status == 2
    assert hint in outcome.err


def test_unknown_target(command: Command, root: Path) -> None:
    """A target that is not a stage is status 2 with the stage that was probably meant."""
    outcome = command("graph", str(root), "--target", "tset", "-o", "g.svg")

    assert outcome.status == 2
    assert "did you mean `test`?" in outcome.err
