"""`plan`: what a change does to the pipeline, and what would run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import click

from dockercise_prefect.cli.compiling import compiled_below
from dockercise_prefect.cli.options import chosen_root, takes_offline, takes_root
from dockercise_prefect.cli.packages import chosen_packages
from dockercise_prefect.cli.planned import Planned, as_json, as_text
from dockercise_prefect.compiler import compile_sources
from dockercise_prefect.compiler.plan import compare, work
from dockercise_prefect.errors import DefinitionError
from dockercise_prefect.frontend.git import Revision, changed_files, find_revision, sources_at
from dockercise_prefect.frontend.subgraphs import Packages
from dockercise_prefect.pipeline import Pipeline

_SHOW: Mapping[str, Callable[[Planned], str]] = {"text": as_text, "json": as_json}


@click.command
@takes_root
@click.option("--since", metavar="REV", required=True, help="The git revision to compare with: main, HEAD~1, a tag.")
@click.option("--format", "format_name", type=click.Choice(list(_SHOW)), default="text", show_default=True)
@takes_offline
def plan(root_argument: Path | None, root_option: Path | None, since: str, format_name: str, *, offline: bool) -> None:
    """Compare the pipeline below ROOT with what it was at REV, and say what the change would run and why.

    Nothing is run, and the checkout is not touched. Exit status 0 also when nothing would run.
    """
    root = chosen_root(root_argument, root_option)
    revision = find_revision(root, since)
    with chosen_packages(offline=offline) as packages:
        pipeline = compiled_below(root, packages)
        earlier, note = _earlier(root, revision, pipeline.name, packages)
    paths = changed_files(root, revision)
    planned = Planned(revision, compare(earlier, pipeline), paths, work(pipeline, paths), note)
    click.echo(_SHOW[format_name](planned).encode(), nl=False)


def _earlier(root: Path, revision: Revision, name: str, packages: Packages) -> tuple[Pipeline | None, str | None]:
    """The pipeline at the revision; else None, and why there is none."""
    try:
        sources = sources_at(root, revision)
        if sources:
            return compile_sources(sources, name, packages).pipeline, None
    except DefinitionError as error:
        first = str(error.diagnostics[0]).partition("\n")[0]
        return None, f"at {revision.name} the pipeline does not compile, so every stage counts as added: {first}"
    return None, f"at {revision.name} there was no pipeline here, so every stage counts as added"
