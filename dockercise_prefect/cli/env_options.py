"""The variables of `--env` and `--env-file`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import click

from dockercise_prefect.errors import DefinitionError, Diagnostic, Place, UsageError
from dockercise_prefect.pipeline.run_context import RUN_VARIABLES
from dockercise_prefect.runtime.stage.environment import Lookup

_WHITE_SPACE = " \t\n\v\f\r\x85\xa0"


Command = TypeVar("Command", bound=Callable[..., None])


def takes_variables(command: Command) -> Command:
    """Add `--env` and `--env-file`. The function gets them as `options` and `files`."""
    option = click.option(
        "--env",
        "options",
        metavar="NAME[=TEXT]",
        multiple=True,
        help="A variable from outside; without =TEXT, its value comes from your environment.",
    )
    file = click.option(
        "--env-file",
        "files",
        type=click.Path(path_type=Path),
        multiple=True,
        help="A file with variables, as for `docker run`.",
    )
    return option(file(command))


def parse_env_option(option: str, lookup: Lookup) -> tuple[str, str] | None:
    """The variable of an option: `NAME=text`, or `NAME` alone for the text that `lookup` has for it.

    None if `lookup` has no such variable, as with `docker run --env`.

    Raises:
        UsageError: the name is missing, or contains white space or a NUL, or is one of a variable that the run itself sets.
    """
    name, equals, text = option.partition("=")
    if name.upper() in RUN_VARIABLES:
        raise UsageError(f"--env: the run itself sets {name.upper()}", "remove it, or use a variable with another name")
    trouble = _trouble_with_name(name)
    if trouble is not None:
        raise UsageError(f"--env: {trouble}", "write --env NAME=text, or --env NAME to pass your own value")
    value = text if equals else lookup(name)
    return None if value is None else (name, value)


def parse_env_file(text: str, path: str, lookup: Lookup) -> dict[str, str]:
    """The variables of an environment file, in the syntax of `docker run --env-file`.

    Each line is one `NAME=text`. The text is taken unchanged, including quotes. `NAME` alone passes on the text that `lookup`
    has for it. Empty lines, lines that begin with `#`, and white space before a name are skipped. A later line takes precedence
    over an earlier one.

    Args:
        text: what is in the file.
        path: its path, for messages.
        lookup: this process's environment.

    Raises:
        DefinitionError: lines have no name, or a name with white space (DK052). Has all such lines.
    """
    variables: dict[str, str] = {}
    findings: list[Diagnostic] = []
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        line = raw.removesuffix("\r").lstrip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        trouble = _trouble_with_name(name)
        if trouble is not None:
            column = len(raw) - len(raw.lstrip()) + 1
            hint = "write NAME=text, NAME alone, or a comment that begins with #"
            findings.append(Diagnostic("DK052", f"not a variable: {trouble}", Place(path, number, column), hint=hint))
            continue
        given = value if equals else lookup(name)
        if given is not None:
            variables[name] = given
    if findings:
        raise DefinitionError(findings)
    return variables


def given_variables(options: Iterable[str]) -> dict[str, str]:
    """The variables of all `--env` options. `NAME` alone passes on the text in this process's environment.

    Raises:
        UsageError: see `parse_env_option`.
    """
    given = (parse_env_option(option, os.environ.get) for option in options)
    return dict(pair for pair in given if pair is not None)


def file_variables(files: Iterable[Path]) -> dict[str, str]:
    """The variables of all `--env-file` options.

    Raises:
        UsageError: a file cannot be read.
        DefinitionError: see `parse_env_file`.
    """
    variables: dict[str, str] = {}
    for path in files:
        try:
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            raise UsageError(f"cannot read the variables in {path}: {error.strerror}") from error
        variables |= parse_env_file(text, str(path), os.environ.get)
    return variables


def _trouble_with_name(name: str) -> str | None:
    if not name:
        return "there is no name before the `=`"
    if any(character in _WHITE_SPACE or character == "\0" for character in name):
        # The name is not shown: where a `=` was forgotten, it is a secret.
        return "the name (everything before the first `=`) contains white space"
    return None
