"""Options that several commands take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from dockercise_prefect.cli.completion import complete_stages
from dockercise_prefect.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., None])


def takes_root(command: Command) -> Command:
    """Add the root as an argument and as `-C`. The function gets them as `root_argument` and `root_option`."""
    argument = click.argument("root_argument", metavar="[ROOT]", required=False, type=click.Path(path_type=Path))
    option = click.option(
        "-C",
        "--root",
        "root_option",
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="The same as ROOT; default: the current folder.",
    )
    return argument(option(command))


def takes_targets(command: Command) -> Command:
    """Add `--target`. The function gets all of them as `targets`."""
    return click.option(
        "--target",
        "targets",
        metavar="STAGE",
        multiple=True,
        help="Only this stage, what it needs and its clean-up; can be repeated.",
    )(command)


def takes_offline(command: Command) -> Command:
    """Add `--offline`. The function gets it as `offline`, for `cli.package_sources.chosen_packages`."""
    return click.option(
        "--offline", is_flag=True, help="Do not run packages (meta.subgraphs): use what they printed last time."
    )(command)


def takes_run_basics(command: Command) -> Command:
    """Add what every command takes that runs stages here: the stages, `-C`, `--jobs` and `--results`.

    The function gets them as `targets`, `root`, `jobs` and `results`.
    """
    targets = click.argument("targets", metavar="[STAGE]...", nargs=-1, shell_complete=complete_stages)
    help_of_root = "The pipeline's folder; default: the current folder."
    root = click.option("-C", "--root", type=click.Path(path_type=Path), help=help_of_root)
    jobs = click.option("--jobs", type=int, help="The maximum number of containers at once.  [default: 10]")
    help_of_results = "Where to keep the record: a folder or s3://bucket/prefix; default: your data folder."
    results = click.option("--results", metavar="PLACE", help=help_of_results)
    return targets(root(jobs(results(command))))


def chosen_root(argument: Path | None, option: Path | None) -> Path:
    """The root that the user named; by default, the working directory.

    Raises:
        UsageError: the user named two different roots.
    """
    if argument is not None and option is not None and argument != option:
        raise UsageError(f"two roots are given: {argument} and --root {option}", "name one of them")
    return argument or option or Path()


def refuse_folders(command: str, targets: Sequence[str]) -> None:
    """Refuse targets with a `/`. No stage has one in its name, so the user means a folder, as in other commands.

    Raises:
        UsageError: there is such a target.
    """
    for target in targets:
        if "/" in target or target in {".", ".."}:
            raise UsageError(
                f"`{target}` is not a stage: `{command}` expects the names of stages",
                f"to run the pipeline of a folder: `dockercise {command} -C {target}`",
            )
