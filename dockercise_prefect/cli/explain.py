"""`explain`: describes one stage, or one kind of finding."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import click

from dockercise_prefect.cli.compiling import compiled_below
from dockercise_prefect.cli.completion import complete_stages
from dockercise_prefect.cli.options import chosen_root, takes_offline
from dockercise_prefect.cli.package_sources import chosen_packages
from dockercise_prefect.emit.explain import explanation
from dockercise_prefect.errors import UsageError, did_you_mean
from dockercise_prefect.pipeline import Code

_CODE = re.compile(r"[Dd][Kk][0-9]+")


@click.command
@click.argument("stage", metavar="STAGE|CODE", shell_complete=complete_stages)
@click.option("-C", "--root", type=click.Path(path_type=Path), help="The pipeline's folder; default: the current folder.")
@takes_offline
def explain(stage: str, root: Path | None, *, offline: bool) -> None:
    """Show where STAGE is defined, what it needs and why, what needs it, and what would run for it.

    Variables are shown with their names and sources, never with values. CODE is the code of a finding, such as DK101: for a
    lint rule its page is printed, for others their meaning.
    """
    if _CODE.fullmatch(stage):
        click.echo(_page(stage.upper()).encode(), nl=False)
        return
    with chosen_packages(offline=offline) as packages:
        pipeline = compiled_below(chosen_root(None, root), packages)
    click.echo(explanation(pipeline, stage).encode(), nl=False)


def _page(word: str) -> str:
    """The page of a lint rule; for another code, its meaning."""
    code = next((code for code in Code if code == word), None)
    if code is None:
        meant = did_you_mean(word, [code.value for code in Code])
        raise UsageError(f"there is no code `{word}`", f"did you mean `{meant}`?" if meant else "a code is DK and three digits")
    if code.is_lint_rule:
        return (files("dockercise_prefect") / "lint_pages" / f"{code}.md").read_text(encoding="utf-8")
    return f"{code}: {code.meaning}\n\n`dockercise lint` shows where it is and what to do about it.\n"
