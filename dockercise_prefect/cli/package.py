"""`package`: builds an image with the stages of a folder, which other pipelines name in `meta.subgraphs`."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import click

from dockercise_prefect.cli.findings import show_findings
from dockercise_prefect.compiler import Part, check_part
from dockercise_prefect.errors import DefinitionError, NothingToDoError, UsageError
from dockercise_prefect.frontend.discover import MAX_BYTES
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.frontend.packaging import packaged
from dockercise_prefect.frontend.yaml_text import to_yaml
from dockercise_prefect.pipeline import image_name_problem
from dockercise_prefect.settings import read_settings
from dockercise_prefect.signals import as_interrupt


@click.command
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("-t", "--tag", "name", metavar="NAME", help="The name of the image; default: the pipeline's name.")
@click.option("--base", metavar="IMAGE", default="busybox", show_default=True, help="The base image, which needs `cat`.")
@click.option("--print", "print_only", is_flag=True, help="Print the document instead of building an image.")
def package(folder: Path, name: str | None, base: str, *, print_only: bool) -> None:
    """Build an image that prints every *.dockercise.yaml below DIR as one document.

    A pipeline that lists the image in `meta.subgraphs` gets its stages. That pipeline may define names that DIR does not.
    """
    part = _checked(folder)
    document = _document(part)
    if print_only:
        click.echo(document, nl=False)
        return
    image_name = _image_name(name, part.name)
    image = _build(document, name=image_name, base=_image("--base", base), pipeline=part.name)
    click.echo(f"built {image_name} ({image})")
    click.echo(f"use it:  meta: {{subgraphs: [{image_name}]}}")


def _checked(folder: Path) -> Part:
    try:
        part = check_part(folder)
    except DefinitionError as error:
        show_findings(error.diagnostics, "nothing built")
        raise SystemExit(error.exit_status) from None
    show_findings(part.warnings)
    return part


def _document(part: Part) -> bytes:
    findings = Findings()
    body = packaged(part.document, findings)
    if findings.failed:
        show_findings(findings.in_order(), "nothing built")
        raise SystemExit(DefinitionError.exit_status)
    if not body.entries:
        raise NothingToDoError("nothing to do: the files define no stage and no setting")
    document = to_yaml(body).encode()
    if len(document) > MAX_BYTES:
        hint = "split it into several packages, or use fewer aliases: each one is written out"
        raise UsageError(f"the document would have {len(document):,} bytes, but the limit is {MAX_BYTES:,}", hint)
    return document


def _image_name(given: str | None, pipeline: str) -> str:
    if given is not None:
        name = _image("-t", given)
        if "@" in name:
            raise UsageError(f"-t: `{name}` has a digest, which only the finished image can have", "remove the digest")
        return name
    name = re.sub(r"[^a-z0-9]+", "-", pipeline.lower()).strip("-")
    if not name:
        raise UsageError(f"the pipeline's name, {pipeline}, cannot be the name of an image", "name the image with -t")
    return name


def _image(option: str, name: str) -> str:
    problem = image_name_problem(name)
    if problem:
        why, hint = problem
        raise UsageError(f"{option}: {why}", hint)
    return name


def _build(document: bytes, *, name: str, base: str, pipeline: str) -> str:
    from dockercise_prefect.orchestration.prefect.engine_login import connect_engine
    from dockercise_prefect.runtime.packages.build import build_package

    def say(line: str) -> None:
        click.echo(line, err=True)

    with as_interrupt(), closing(connect_engine(read_settings())) as engine:
        return build_package(engine, document, name=name, base=base, pipeline=pipeline, notify=say)
