"""The page on editors: its instructions work."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
from pathlib import Path

from dockercise_prefect.compiler.schema import schema_text
from tests.compiler.instances import problems
from tests.compiler.sources import codes, compiled
from tests.support.command import Command, command
from tests.test_user_pages import blocks

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "editor.md").read_text()

__all__ = ["command"]


def test_the_command_writes_what_the_file_names(command: Command, tmp_path: Path) -> None:
    """The command on the page writes the schema to the place that the first line of the example names."""
    (typed,) = re.findall(r"^ {4}dockercise (.*)$", PAGE, re.MULTILINE)
    (named,) = re.findall(r"^# yaml-language-server: \$schema=(\S+)$", PAGE, re.MULTILINE)

    outcome = command(*shlex.split(typed))

    assert outcome.status == 0
    assert (tmp_path / named).read_text() == schema_text()


def test_examples_are_right() -> None:
    """The pipeline on the page compiles, and its schema finds no error in it."""
    (example,) = blocks(PAGE, "yaml")

    assert len(compiled(example=example)) > 0
    assert problems(example) == []


def test_settings_name_the_schema_and_all_files(tmp_path: Path) -> None:
    """The settings are JSON, name the file that the command writes, match the files of dockercise, and set YAML 1.2."""
    (example,) = blocks(PAGE, "json")

    settings = json.loads(example)

    ((schema, globs),) = settings["yaml.schemas"].items()
    assert schema == "./.dockercise.schema.json"
    for name in ("a.dockercise.yaml", "a.dockercise.yml"):
        assert any(fnmatch.fnmatch(name, pattern) for pattern in globs)
    assert settings["yaml.yamlVersion"] == "1.2"


def test_what_the_page_says_of_keys_holds() -> None:
    """The key `on`, the boolean true in YAML 1.1, is not a key; `1e9` is not a size, but the schema accepts it as a number."""
    assert problems("a: {img: x, true: code}") != []
    assert problems("a: {img: x, memory: 1e9}") == []
    assert codes(a="a: {img: x, memory: 1e9}") == ["DK024"]


def test_links_lead_somewhere() -> None:
    """The pages that this page links to exist, with the named headings."""
    for page, heading in re.findall(r"\]\(([^)#:]+)#?([^)]*)\)", PAGE):
        text = (DOCS / page).read_text()

        assert heading in [title.lower().replace(" ", "-") for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
