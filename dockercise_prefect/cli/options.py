"""Options that several commands take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from dockercise_prefect.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., None])


def takes_root(command: Command) -> Command:
    """The root, as an argument or as `-C`; the function takes both as `root_argument` and `root_option`."""
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


def takes_offline(command: Command) -> Command:
    """`--offline`; the function takes it as `offline`, for `cli.packages.chosen_packages`."""
    return click.option(
        "--offline", is_flag=True, help="Do not run packages (meta.subgraphs): use what each printed last time."
    )(command)


def chosen_root(argument: Path | None, option: Path | None) -> Path:
    """The root that was named, by default the working directory.

    Raises:
        UsageError: two different ones were named.
    """
    if argument is not None and option is not None and argument != option:
        raise UsageError(f"two roots are given: {argument} and --root {option}", "name one of them")
    return argument or option or Path()
