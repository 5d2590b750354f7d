"""Finds records, for commands that read them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path

import click

from dockercise_prefect.errors import DockerciseError, UsageError
from dockercise_prefect.results.opening import open_objects
from dockercise_prefect.results.reading.records import Records
from dockercise_prefect.results.reading.run_view import RunView, look
from dockercise_prefect.settings import read_settings


def takes_records(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--results`, `--pipeline` and `-C`. The function gets the records that they choose as `records`."""

    @click.option("-C", "--root", metavar="DIR", type=click.Path(path_type=Path), help="Only runs of the pipeline below DIR.")
    @click.option("--pipeline", metavar="NAME", help="Only runs of the pipeline with this name.")
    @click.option("--results", metavar="PLACE", help="Where the records are; default: where `run` puts them.")
    @wraps(command)
    def with_records(*, results: str | None, pipeline: str | None, root: Path | None, **others: object) -> None:
        settings = read_settings(results=results)
        chosen = _pipeline(pipeline, root)
        here = _pipeline_here if chosen is None else lambda: None
        command(records=Records(open_objects(settings.results, settings), chosen, here), **others)

    return with_records


def found_run(records: Records, wanted: str) -> RunView:
    """Return the run that a user means, and print on stderr what is missing or broken in its record."""
    view = look(records.find(wanted))
    for problem in view.problems:
        click.echo(f"note: {problem}", err=True)
    return view


def _pipeline_here() -> str | None:
    """The pipeline whose root is the working directory: it contains a pipeline file, or is the top of a git repository."""
    from dockercise_prefect.frontend.discover import SUFFIXES

    if not Path(".git").exists() and not any(path.name.endswith(SUFFIXES) for path in Path().iterdir()):
        return None
    try:
        return _pipeline(None, Path())
    except DockerciseError:
        return None


def _pipeline(name: str | None, root: Path | None) -> str | None:
    if root is None:
        return name
    if name is not None:
        raise UsageError("--pipeline and --root both choose the pipeline", "use one of them")
    from dockercise_prefect.compiler import check_part

    return check_part(root).name
