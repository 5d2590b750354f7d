"""`explain`: describes one stage, or one kind of finding."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import click

from dockercise_prefect.cli.compiling import compiled_below
from dockercise_prefect.cli.completion import complete_runs, complete_stages
from dockercise_prefect.cli.env_options import file_variables, given_variables, takes_variables
from dockercise_prefect.cli.options import chosen_root, takes_offline
from dockercise_prefect.cli.package_sources import chosen_packages
from dockercise_prefect.cli.parameter_options import given_parameters, takes_parameters
from dockercise_prefect.emit.explain import explanation
from dockercise_prefect.errors import UsageError, did_you_mean
from dockercise_prefect.pipeline import Code

_CODE = re.compile(r"[Dd][Kk][0-9]+")


@click.command
@click.argument("stage", metavar="STAGE|CODE", shell_complete=complete_stages)
@click.option("-C", "--root", type=click.Path(path_type=Path), help="The pipeline's folder; default: the current folder.")
@click.option("--since", metavar="RUN", shell_complete=complete_runs, help="Show what differs from STAGE in RUN.")
@takes_variables
@takes_parameters
@click.option("--results", metavar="PLACE", help="Where the record of RUN is; default: where `run` puts it.")
@takes_offline
def explain(  # noqa: PLR0917  click gives each option as an argument
    stage: str,
    root: Path | None,
    since: str | None,
    options: tuple[str, ...],
    files: tuple[Path, ...],
    given: tuple[str, ...],
    results: str | None,
    *,
    offline: bool,
) -> None:
    """Show where STAGE is defined, what it needs and why, what needs it, and what would run for it.

    With --since, show what differs between what STAGE was made from in RUN and what it would be made from now. RUN is a run id,
    the beginning of one, or `last`. The image is compared if your engine has it; nothing is run or pulled.
    Variables are shown with their names and sources, never with values. CODE is the code of a finding, such as DK101: for a
    lint rule its page is printed, for others their meaning.
    """
    if _CODE.fullmatch(stage):
        click.echo(_page(stage.upper()).encode(), nl=False)
        return
    if since is not None:
        # Only this needs what runs need.
        from dockercise_prefect.cli.explain_since import explained_since
        from dockercise_prefect.cli.outlook import Given

        known = Given(
            flags=given_variables(options),
            file_variables=file_variables(files),
            results=results,
            parameters=given_parameters(given),
        )
        with chosen_packages(offline=offline) as packages:
            text = explained_since(chosen_root(None, root), packages, stage, since, known)
        click.echo(text.encode(), nl=False)
        return
    if options or files or results is not None:
        raise UsageError("--env, --env-file and --results are only for --since, which names a run", "add `--since RUN`")
    with chosen_packages(offline=offline) as packages:
        pipeline = compiled_below(chosen_root(None, root), packages, given_parameters(given))
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
