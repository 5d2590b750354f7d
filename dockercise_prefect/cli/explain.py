"""`explain`: all about one stage."""

from __future__ import annotations

from pathlib import Path

import click

from dockercise_prefect.cli.compiling import compiled_below
from dockercise_prefect.cli.options import chosen_root, takes_offline
from dockercise_prefect.cli.packages import chosen_packages
from dockercise_prefect.emit.explain import explanation


@click.command
@click.argument("stage", metavar="STAGE")
@click.option("-C", "--root", type=click.Path(path_type=Path), help="The pipeline's folder; default: here.")
@takes_offline
def explain(stage: str, root: Path | None, *, offline: bool) -> None:
    """Say where STAGE comes from, what it needs and why, who needs it, and what would run for it.

    Variables are shown by their names and sources, without any value.
    """
    with chosen_packages(offline=offline) as packages:
        pipeline = compiled_below(chosen_root(None, root), packages)
    click.echo(explanation(pipeline, stage).encode(), nl=False)
