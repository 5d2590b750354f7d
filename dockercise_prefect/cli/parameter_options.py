"""The values of parameters on the command line: `--param`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import click

from dockercise_prefect.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., object])


def takes_parameters(command: Command) -> Command:
    """Add `--param`. The function gets all of them as `given`, for `given_parameters`."""
    return click.option(
        "--param",
        "given",
        metavar="NAME=VALUE",
        multiple=True,
        help="A value for a parameter of the pipeline (meta.parameters); can be repeated.",
    )(command)


def given_parameters(options: Iterable[str]) -> dict[str, str]:
    """The values by the names of the parameters. The compiler checks them.

    Raises:
        UsageError: an option is not `NAME=VALUE`, or one name has two values.
    """
    given: dict[str, str] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not (name and equals):
            raise UsageError(f"--param: `{option}` is not NAME=VALUE", "write `--param python=3.12`")
        if given.setdefault(name, value) != value:
            raise UsageError(f"--param: `{name}` has two values", "give it once")
    return given
