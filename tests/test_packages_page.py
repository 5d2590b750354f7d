"""The page on packages: its examples compile, and its output is really printed."""

from __future__ import annotations

import re
from pathlib import Path

import click

from dockercise_prefect.cli import dockercise
from dockercise_prefect.cli.package_sources import not_asked_for, not_kept
from dockercise_prefect.compiler import compile_sources
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.merge import read_part
from dockercise_prefect.frontend.packaging import packaged
from dockercise_prefect.frontend.yaml_text import to_yaml
from tests.compiler.sources import sources
from tests.support.package_port import PackagesInMemory

PAGE = (Path(__file__).parent.parent / "docs" / "packages.md").read_text()
EXAMPLES = re.findall(r"^```yaml ?([\w/]*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
PACKAGES = {image: text for image, text in EXAMPLES if image}
PIPELINES = [text for image, text in EXAMPLES if not image]


def _document(text: str) -> str:
    """The document that `dockercise package` makes of a folder with that file."""
    findings = Findings()
    document = to_yaml(packaged(read_part(sources(a=text), findings), findings))
    assert findings.in_order() == ()
    return document


def test_examples_compile() -> None:
    """Every pipeline on the page compiles with the packages on the page, without findings."""
    packages = PackagesInMemory(**{image: _document(text) for image, text in PACKAGES.items()})

    compiled = [compile_sources(sources(shop=text), "shop", packages) for text in PIPELINES]

    assert len(compiled) == len(PIPELINES) > 0
    assert [one.warnings for one in compiled] == [()] * len(PIPELINES)
    assert packages.fetched == list(PACKAGES)


def test_the_listing_is_what_is_printed() -> None:
    """The digest of the pipeline and the places on the page are the results of compiling."""
    packages = PackagesInMemory(**{image: _document(text) for image, text in PACKAGES.items()})

    pipeline = compile_sources(sources(shop=PIPELINES[0]), "shop", packages).pipeline

    place = pipeline.by_name["scan"].place
    assert place is not None
    assert f"shop · {len(pipeline)} stages · {pipeline.digest}" in PAGE
    assert f"build  ({pipeline.by_name['build'].place})" in PAGE
    assert re.search(rf"scan  \(acme/checks@sha256:\w+:{place.line}:{place.column}\)", PAGE)


def test_messages_are_those_of_the_commands() -> None:
    """`lint` and `--offline` print the messages on the page."""
    said = [not_asked_for("acme/checks"), not_kept("acme/checks:2")]

    assert [error.message in PAGE and str(error.hint) in PAGE for error in said] == [True, True]


def test_every_command_named_exists() -> None:
    """The page names no command that does not exist."""
    named = set(re.findall(r"(?:`|\$ )dockercise ([a-z]+)", PAGE))

    assert named <= set(dockercise.list_commands(click.Context(dockercise)))
