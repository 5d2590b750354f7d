"""`runs`: lists the runs whose records are in a place."""

from __future__ import annotations

import json
from typing import Any

import click

from dockercise_prefect.cli.record_options import takes_records
from dockercise_prefect.results.reading.records import Records
from dockercise_prefect.results.reading.run_list import Listed, listed


@click.command
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="The maximum number of runs.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array on stdout.")
@takes_records
def runs(records: Records, limit: int, *, as_json: bool) -> None:
    """List runs, newest first: how each one ended, how long it took, and why it failed."""
    from dockercise_prefect.cli.present.printing import print_lines
    from dockercise_prefect.cli.present.records import list_lines

    there_are = records.runs()
    some = listed(there_are[:limit])
    if as_json:
        click.echo(json.dumps([_to_json(one) for one in some], indent=2))
    elif some:
        print_lines(list_lines(some))
    if not some:
        click.echo(f"there is no run in {records.place}", err=True)
    elif len(there_are) > limit:
        click.echo(f"{limit} of {len(there_are):,} runs; `--limit` shows more", err=True)


def _to_json(one: Listed) -> dict[str, Any]:
    summary = one.summary
    return {
        "run_id": one.run.run_id,
        "pipeline": one.run.pipeline,
        "status": one.status,
        "started": (summary and summary.started) or one.run.began.isoformat(),
        "finished": summary and summary.finished,
        "reasons": list(summary.reasons) if summary else [one.problem] if one.problem else [],
        "results": one.run.url,
    }
