"""The page on parameters: its pipeline compiles, its messages are printed, and what it lists exists."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from dockercise_prefect.cli import dockercise
from dockercise_prefect.compiler import compile_sources
from dockercise_prefect.compiler.keys import EXPANDED
from dockercise_prefect.errors import DefinitionError
from dockercise_prefect.pipeline import ImageReference, bound
from tests.compiler.sources import compiled, sources
from tests.support.package_port import PackagesInMemory
from tests.test_user_pages import blocks

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "parameters.md").read_text()
(EXAMPLE,) = blocks(PAGE, "yaml")


def test_the_example_compiles_and_can_be_run() -> None:
    """The pipeline needs no values, and its stages have the variables that the page names."""
    pipeline = bound(compiled(example=EXAMPLE), {"target": "production", "dry_run": "false"})

    assert list(pipeline.by_name["build"].env) == []
    assert set(pipeline.by_name["deploy"].env) == {"DRY_RUN", "COPIES", "TARGET"}


@pytest.mark.parametrize(
    ("block", "given"), [(0, {"release": "two words"}), (1, {"target": "moon", "targt": "production"})], ids=["key", "value"]
)
def test_messages_are_printed(block: int, given: dict[str, str]) -> None:
    """The findings on the page are those that such values cause."""
    with pytest.raises(DefinitionError) as caught:
        compile_sources(sources(a=EXAMPLE), "a", parameters=given)

    said = str(caught.value)
    assert [line for line in blocks(PAGE, "text")[block].splitlines() if line not in said] == []


def test_a_package_takes_the_values_on_the_page() -> None:
    """The second pipeline gives a value to a package, which has a parameter of that name."""
    (example,) = re.findall(r"^```yaml with-package\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    package = 'meta: {parameters: {python: }}\nscan: {img: "python:$PYTHON", run: scan}\n'

    pipeline = compile_sources(sources(a=example), "a", PackagesInMemory(**{"acme/checks": package})).pipeline

    assert pipeline.by_name["scan"].image == ImageReference("python:3.12")


def test_the_keys_are_those_that_are_expanded() -> None:
    """The page lists the keys in which a parameter is expanded."""
    (sentence,) = re.findall(r"\*\*In keys\*\*: .*?, and in", PAGE, re.DOTALL)

    named = set(re.findall(r"`([a-z]+)`", sentence))

    assert named == EXPANDED


def test_the_commands_take_values() -> None:
    """Every command that the page lists has `--param`."""
    (row,) = re.findall(r"^\| `dockercise run`.* \| `--param name=value`.*$", PAGE, re.MULTILINE)
    context = click.Context(dockercise)

    commands = re.findall(r"`(?:dockercise )?([a-z]+)(?: STAGE)?`", row)

    without = []
    for name in commands:
        command = dockercise.get_command(context, name)
        options = {option for one in command.params for option in one.opts} if command else set()
        without += [] if "--param" in options else [name]
    assert without == []
    assert len(commands) == 7


def test_every_link_leads_somewhere() -> None:
    """The pages that the page links to exist."""
    assert [link for link in re.findall(r"\]\(([^)#:]+)", PAGE) if not (DOCS / link).exists()] == []
