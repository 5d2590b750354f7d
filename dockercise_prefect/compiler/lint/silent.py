"""The rule about values that are always empty."""

from __future__ import annotations

from collections.abc import Iterator

from dockercise_prefect.compiler.lint.subject import Subject
from dockercise_prefect.compiler.shell.commands import Command
from dockercise_prefect.compiler.shell.streams import STDERR
from dockercise_prefect.errors import Diagnostic, Related
from dockercise_prefect.frontend.findings import warning
from dockercise_prefect.pipeline import Code, DependencyKind

_SILENT = frozenset(
    ": true false mkdir rmdir cp mv rm ln touch chmod chown cd exit test [ [[ sleep shift return break continue read".split()  # noqa: SIM905  a table
)
"""Commands that print nothing on stdout, unless an option asks for it."""

_SILENT_WITH_ARGUMENTS = frozenset("export readonly set unset local umask wait".split())  # noqa: SIM905  a table
"""Commands that print nothing on stdout if they have arguments, and print a list if they have none."""


def value_is_empty(subject: Subject) -> Iterator[Diagnostic]:
    """DK102: `env` uses the value of a stage that never prints anything."""
    silent = {
        stage.name
        for stage in subject.pipeline
        if (commands := subject.commands(stage)) is not None and all(_prints_nothing(command) for command in commands)
    }
    for stage in subject.pipeline:
        for edge in stage.depends_on:
            if edge.kind is DependencyKind.ENV and edge.stage in silent:
                earlier = subject.pipeline.by_name[edge.stage]
                name, place = earlier.written_name, earlier.place
                yield warning(
                    Code.VALUE_IS_EMPTY,
                    f"the value of `{name}` is always empty: its `run` prints nothing on stdout",
                    edge.place,
                    hint=f"write `after: {name}` for the order alone, or `vol: {name}` for its files",
                    related=[Related("the stage is here", place)] if place else [],
                )


def _prints_nothing(command: Command) -> bool:
    if any((redirection.descriptor or 0) > STDERR for redirection in command.redirections) or command.streams.stderr:
        return False  # exchanged streams are not followed
    return not (command.words and command.streams.stdout) or _is_silent(command)


def _is_silent(command: Command) -> bool:
    arguments = command.words[1:]
    if command.name in _SILENT_WITH_ARGUMENTS:
        return bool(arguments) and not any(word.text in {"-p", "-o", "+o", "-S"} or word.is_variable for word in arguments)
    if command.name == "cd":
        return all(word.text != "-" for word in arguments)
    return command.name in _SILENT and not any(word.text is not None and _may_ask_to_print(word.text) for word in arguments)


def _may_ask_to_print(word: str) -> bool:
    """Whether a word is `-v` (also among other letters), `--verbose`, `--changes`, `--help`, `--version`, or short for one."""
    if word.startswith("--"):
        return word.startswith(("--v", "--h", "--d", "--c"))
    return word.startswith("-") and not {"v", "c"}.isdisjoint(word)
