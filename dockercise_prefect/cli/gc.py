"""`gc`: ends runs that died, and removes what nobody needs any more."""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack

import click

from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.settings import read_settings


@click.command
@click.option("--dry-run", is_flag=True, help="Only print what would be done.")
@click.option("--results", metavar="PLACE", help="Where the records are; default: where `run` puts them.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object on stdout.")
def gc(*, dry_run: bool, results: str | None, as_json: bool) -> int:
    """End runs whose processes died, and remove what nobody needs any more.

    Dead runs get Crashed in Prefect, their records say so, and what they left on the engine is removed. Unsent records are
    sent. What stages with `cache` have left is removed if it is too old or too much (cache_days, cache_size). The settings
    keep_days, keep_runs, keep_size and keep_cache_days say which records, clones and outputs of packages are removed, and
    keep_build_cache how much of the engine's build cache is kept; without them, none. Exit status: 0 done, 3 the engine,
    Prefect or a place of records failed, 4 nothing to do.
    """
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")  # Prefect reads this when it is imported
    from dockercise_prefect.cli.present.garbage import outcome_line, total_line
    from dockercise_prefect.orchestration.gc.collect import collect
    from dockercise_prefect.orchestration.gc.opening import opened_chores

    settings = read_settings(results=results)
    outcomes = []
    with ExitStack() as stack:
        chores = stack.enter_context(opened_chores(settings, time.sleep, _note))
        for outcome in collect(chores.all(), dry_run=dry_run):
            outcomes.append(outcome)
            if outcome.problem is not None:
                _note(outcome_line(outcome, dry_run=dry_run))
            elif not as_json:
                click.echo(outcome_line(outcome, dry_run=dry_run))
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, "items": [outcome.to_json() for outcome in outcomes]}, indent=2))
    else:
        click.echo(total_line(outcomes, dry_run=dry_run))
    if any(outcome.problem for outcome in outcomes):
        return ExitStatus.ENGINE_FAILED
    return ExitStatus.DONE if outcomes else ExitStatus.NOTHING_TO_DO


def _note(text: str) -> None:
    click.echo(text, err=True)
