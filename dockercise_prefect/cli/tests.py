"""`tests`: compares the tests of a run with those of earlier runs."""

from __future__ import annotations

import json
from typing import Any

import click

from dockercise_prefect.cli.completion import complete_runs
from dockercise_prefect.cli.record_options import takes_records
from dockercise_prefect.results.reading.records import LAST, Records

RUNS = 30
"""How many earlier runs are read by default."""


@click.command
@click.argument("run", default=LAST, shell_complete=complete_runs)
@click.option("--flaky", is_flag=True, help="Only the tests that passed and failed on the same code.")
@click.option("--slow", is_flag=True, help="Only the tests that got slower.")
@click.option(
    "--runs", type=click.IntRange(min=1), default=RUNS, show_default=True, help="How many earlier runs to compare with."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object on stdout.")
@takes_records
def tests(records: Records, run: str, *, runs: int, flaky: bool, slow: bool, as_json: bool) -> None:
    """Show which tests of RUN fail, and since when; which flicker; and which got slower.

    RUN is a run id, the beginning of one, or `last`, which is the default: the last run of the pipeline in this folder, or of
    any pipeline if this folder has none. The stages of the pipeline need `junit`. The exit status is 0 however the tests ended.
    """
    from dockercise_prefect.cli.present.printing import marks, print_lines
    from dockercise_prefect.cli.present.tests import failing_lines, flickering_lines, head_line, slower_lines
    from dockercise_prefect.results.reading.compared_tests import compared_tests
    from dockercise_prefect.results.tests.comparison import failing, flickering, slower

    compared = compared_tests(records.find(run), runs)
    for problem in compared.problems:
        click.echo(f"note: {problem}", err=True)
    if len(compared.runs) == 1 and not compared.stages:
        click.echo("note: no stage has test reports; `junit: report.xml` in a stage says where they are", err=True)
    fails, flickers, slows = failing(compared.runs), flickering(compared.runs), slower(compared.runs)
    if as_json:
        found: dict[str, Any] = {
            "run_id": compared.run.run_id,
            "pipeline": compared.run.pipeline,
            "compared_with": [one.run_id for one in compared.runs[1:]],
            "failing": [
                {
                    **one.test._asdict(),
                    "outcome": one.outcome.value,
                    "since": one.since,
                    "runs": one.runs,
                    "message": compared.message_of(one.test),
                }
                for one in fails
            ],
            "flaky": [
                {**one.test._asdict(), "failed": one.failed, "passed": one.passed, "last_failed": one.last} for one in flickers
            ],
            "slow": [{**one.test._asdict(), "seconds": one.seconds, "before": one.before} for one in slows],
        }
        click.echo(json.dumps(found, indent=2))
        return
    every = not flaky and not slow
    lines = [head_line(compared, marks().dot)]
    lines += failing_lines(compared, fails) if every else ()
    lines += flickering_lines(flickers) if every or flaky else ()
    lines += slower_lines(slows) if every or slow else ()
    print_lines(lines)
