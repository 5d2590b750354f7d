"""`init`: writes a first pipeline, which the user then changes."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from dockercise_prefect.cli.options import chosen_root, takes_root
from dockercise_prefect.cli.writing import write_new
from dockercise_prefect.errors import UsageError
from dockercise_prefect.frontend.discover import read_sources
from dockercise_prefect.frontend.findings import Findings

FILE = "pipeline.dockercise.yaml"

FIRST_PIPELINE = """\
# Every *.dockercise.yaml below this folder is part of the pipeline; each top-level key is a stage.

meta:
  defaults:
    img: busybox:latest # every stage runs in this image, unless it names another one

greet:
  run: echo hello

# `env: greet` puts what greet printed into $GREET, so shout comes after it.
shout:
  env: greet
  run: echo "$GREET, world" | tr a-z A-Z

# `vol: code` mounts a snapshot of this folder at /code. What a stage leaves in $OUT is its volume.
list:
  vol: code
  run: find code -type f | sort | tee "$OUT/files.txt"

# `vol: list` mounts the volume of list, read-only, at /list.
count:
  vol: list
  after: shout
  run: wc -l < list/files.txt
"""


@click.command
@takes_root
def init(root_argument: Path | None, root_option: Path | None) -> None:
    """Write a first pipeline to ROOT. Existing files are not changed."""
    root = chosen_root(root_argument, root_option)
    present = read_sources(root, Findings())
    if present:
        raise UsageError(f"a pipeline already exists: {present[0].path}", f"run it with `dockercise run{_option(root)}`")
    path = root / FILE
    try:
        write_new(path, FIRST_PIPELINE)
    except OSError as error:  # includes FileExistsError
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    click.echo(f"wrote {path}")
    click.echo(f"run it:                   dockercise run{_option(root)}")
    click.echo(f"see what it compiles to:  dockercise compile{_option(root)}")


def _option(root: Path) -> str:
    return "" if root == Path() else f" -C {quote(str(root))}"
