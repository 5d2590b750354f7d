"""`approve`: answers a run that waits for an approval, wherever it runs."""

from __future__ import annotations

import getpass
import os

import click

from dockercise_prefect.cli.completion import complete_runs
from dockercise_prefect.settings import read_settings


@click.command
@click.argument("run", shell_complete=complete_runs)
@click.argument("stage", required=False)
@click.option("--no", is_flag=True, help="Refuse: the stage and what comes after it are skipped.")
@click.option("--by", metavar="NAME", help="Your name, for the record; by default that of your account on this machine.")
def approve(run: str, stage: str | None, *, no: bool, by: str | None) -> None:
    """Approve STAGE of RUN, which waits for it (`approve`). STAGE can be left out if only one stage waits.

    RUN is a run id, the beginning of one, or the id of a flow run in Prefect. The name is recorded, and nobody verifies it:
    whoever can use your Prefect can answer. Exit status: 0 the answer was taken; 2 there is no such run or stage; 3 Prefect
    does not answer; 4 the run does not wait for an approval.
    """
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")  # Prefect reads this when it is imported
    from dockercise_prefect.orchestration.approvals.answering import answering

    with answering(read_settings(), lambda text: click.echo(text, err=True)) as answers:
        asked = answers.answer(run, stage, "no" if no else "yes", by or getpass.getuser())
    click.echo(f"{asked}: {'refused' if no else 'approved'}")
