"""`doctor`: examines what runs depend on, and says what to do about what is wrong."""

from __future__ import annotations

import json

import click

from dockercise_prefect.errors import ExitStatus


@click.command
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def doctor(*, as_json: bool) -> int:
    """Examine the engine, Prefect, git, disks, results and settings.

    Nothing is started and nothing is changed. What is wrong comes with what to do. It takes half a minute at most. Exit status:
    0 if there is no problem (there may be warnings), 3 if there is one.
    """
    from dockercise_prefect.cli.present.checks import examination_lines
    from dockercise_prefect.cli.present.printing import marks, print_lines
    from dockercise_prefect.orchestration.doctor.check import CheckStatus
    from dockercise_prefect.orchestration.doctor.examination import examine
    from dockercise_prefect.settings import read_settings

    examination = examine(read_settings)
    if as_json:
        click.echo(json.dumps(examination.to_json(), indent=2))
    else:
        print_lines(examination_lines(examination, marks()))
    return ExitStatus.ENGINE_FAILED if examination.status is CheckStatus.PROBLEM else ExitStatus.DONE
