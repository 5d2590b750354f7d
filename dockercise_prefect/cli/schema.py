"""`schema`: prints the JSON Schema of the language, for editors."""

from __future__ import annotations

from pathlib import Path

import click

from dockercise_prefect.cli.writing import write_atomically
from dockercise_prefect.compiler.schema import schema_text


@click.command
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="Write to this file instead of standard output."
)
def schema(output: Path | None) -> None:
    """Print the JSON Schema of *.dockercise.yaml. Editors use it to complete keys and mark mistakes."""
    if output is None:
        click.echo(schema_text().encode(), nl=False)
    else:
        write_atomically(output, schema_text())
