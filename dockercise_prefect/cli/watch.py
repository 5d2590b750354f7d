"""`watch`: runs the pipeline, and again whenever files change that it sees."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from queue import SimpleQueue

import click

from dockercise_prefect.cli.env_options import takes_variables
from dockercise_prefect.cli.findings import show_findings
from dockercise_prefect.cli.options import refuse_folders, takes_offline, takes_run_basics
from dockercise_prefect.cli.package_sources import chosen_packages
from dockercise_prefect.cli.parameter_options import given_parameters, takes_parameters
from dockercise_prefect.cli.watching.code_changes import code_changes
from dockercise_prefect.cli.watching.loop import Asked, Broken, Changed, Ended, Event, WatchLoop
from dockercise_prefect.compiler import compile_folder
from dockercise_prefect.errors import DefinitionError, DockerciseError, UsageError
from dockercise_prefect.pipeline import Pipeline, bound
from dockercise_prefect.pipeline.selection import run_of
from dockercise_prefect.settings import read_settings
from dockercise_prefect.signals import handled


@click.command
@takes_run_basics
@takes_variables
@takes_parameters
@click.option("--fail-fast", is_flag=True, help="Stop a round at its first failure.")
@takes_offline
@click.option("--quiet", is_flag=True, help="Show only failures and the last line of each round.")
def watch(  # noqa: PLR0917  click gives each option as an argument
    targets: tuple[str, ...],
    root: Path | None,
    options: tuple[str, ...],
    files: tuple[Path, ...],
    given: tuple[str, ...],
    jobs: int | None,
    results: str | None,
    fail_fast: bool,
    offline: bool,
    quiet: bool,
) -> None:
    """Run the pipeline below ROOT, or only the STAGEs and what they need, and again whenever its code changes.

    Each round is a run. Stages that are made from the same as in a round before are reused, with or without `cache`.
    A change during a round cancels it, and the next one begins. Ctrl-C cancels the round too, and ends the command.
    Exit status: 130, or 2 or 3 if the command cannot go on.
    """
    from dockercise_prefect.cli.watching.prepared import PreparedRounds
    from dockercise_prefect.cli.watching.watcher import watching

    settings = read_settings(jobs=jobs, results=results, root=root)
    folder = (settings.root or Path()).resolve()
    refuse_folders("watch", targets)
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", "name the folder that contains the *.dockercise.yaml files")
    arguments = ["run", "--json", *([] if root is None else [f"--root={root}"])]
    arguments += [f"--env={option}" for option in options]
    arguments += [f"--env-file={file}" for file in files]
    arguments += [f"--param={option}" for option in given]
    arguments += [] if jobs is None else [f"--jobs={jobs}"]
    arguments += [] if results is None else [f"--results={results}"]
    flags = {"--fail-fast": fail_fast, "--offline": offline, "--quiet": quiet}
    arguments += [flag for flag, is_given in flags.items() if is_given]
    events: SimpleQueue[Event] = SimpleQueue()
    with (
        handled(lambda number: events.put(Asked(number))),
        closing(PreparedRounds(arguments, targets, lambda one: events.put(Ended(one)))) as rounds,
        watching(folder, lambda paths: events.put(Changed(frozenset(paths))), lambda error: events.put(Broken(error))),
    ):
        loop = WatchLoop(
            events=events,
            rounds=rounds,
            compiled=partial(
                _compiled, folder, targets, given_parameters(given), offline=offline, untrusted=settings.untrusted
            ),
            code=partial(code_changes, folder),
            say=_say,
            show=_show,
        )
        status = loop.run()
    raise SystemExit(status)


def _compiled(root: Path, targets: tuple[str, ...], given: Mapping[str, str], *, offline: bool, untrusted: bool) -> Pipeline:
    with chosen_packages(offline=offline, untrusted=untrusted) as packages:
        return run_of(bound(compile_folder(root, packages=packages, parameters=given).pipeline), targets)


def _say(line: str) -> None:
    click.echo(line)
    sys.stdout.flush()  # the next process writes to it too


def _show(error: DockerciseError) -> None:
    if isinstance(error, DefinitionError):
        show_findings(error.diagnostics)
    else:
        click.echo(error, err=True)
