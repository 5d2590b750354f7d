"""The page about imports: what it shows is what the command prints and writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dockercise_prefect.importing import Kind
from tests.compiler.sources import compiled, linted
from tests.support.command import Command
from tests.test_user_pages import blocks

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/importing.md").read_text()


def test_the_example_is_what_the_command_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    """Importing the file of the page prints the table of the page, and writes its draft, in which nothing is found."""
    (source,), (shown,), (draft,) = blocks(PAGE, "yml"), blocks(PAGE, "console"), blocks(PAGE, "yaml")
    monkeypatch.chdir(tmp_path)
    Path(".gitlab-ci.yml").write_text(source)

    outcome = command("import", ".gitlab-ci.yml")

    assert outcome.status == 0
    assert f"$ dockercise import .gitlab-ci.yml\n{outcome.out}" == shown
    assert Path("gitlab-ci.dockercise.yaml").read_text() == draft
    assert len(compiled(draft=draft)) == 3
    assert linted(draft) == ()


def test_all_systems_are_named() -> None:
    """The page names each system that `--from` knows, by both of its names."""
    assert [kind for kind in Kind if f"`{kind.value}`" not in PAGE or kind.system not in PAGE] == []


def test_every_link_leads_somewhere() -> None:
    """The files and headings that the page links to exist."""
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.*)$", PAGE, re.MULTILINE)}

    assert [link for link in re.findall(r"\]\(([^)#:]+)", PAGE) if not (ROOT / "docs" / link).exists()] == []
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings
