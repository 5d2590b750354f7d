"""A script as a list of simple commands: their words, their redirections, and whether their output leaves the script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dockercise_prefect.compiler.shell import syntax
from dockercise_prefect.compiler.shell.script import Script
from dockercise_prefect.compiler.shell.streams import Redirection, Streams
from dockercise_prefect.compiler.shell.syntax import Condition, Group, Pipeline, Statement
from dockercise_prefect.compiler.shell.traversal import statements_of, substitutions, words_of
from dockercise_prefect.compiler.shell.words import Known, known


@dataclass(frozen=True, slots=True)
class Command:
    """One command, at any place in the script.

    Attributes:
        words: its words, the name first, without the assignments before it. There are none if there are only redirections, or
            if these belong to a loop, a group or a function.
        redirections: its redirections, from left to right.
        streams: where its output goes, after its own redirections and all those around it.
    """

    words: tuple[Known, ...]
    redirections: tuple[Redirection, ...]
    streams: Streams

    @property
    def name(self) -> str | None:
        """The name of the command; None if it is known only during the run, or if nothing is called."""
        return self.words[0].text if self.words else None


def commands_of(script: Script) -> tuple[Command, ...] | None:
    """All commands of a script, in the order written; None if the script was not understood as a whole."""
    return tuple(_commands(script.statements, Streams())) if script.understood else None


def _commands(statements: Iterable[Statement], streams: Streams) -> Iterator[Command]:
    for statement in statements:
        yield from _command(statement, streams)


def _command(statement: Statement, streams: Streams) -> Iterator[Command]:
    inner = streams
    match statement:
        case syntax.Command():
            redirections = _redirections(statement.redirections)
            if statement.words or redirections:
                yield Command(tuple(map(known, statement.words)), redirections, streams.after(redirections))
        case Condition(words):
            name = Known("[[", is_variable=False, start=words[0].start if words else 0)
            yield Command((name, *map(known, words)), (), streams)
        case Group():
            redirections = _redirections(statement.redirections)
            inner = streams.after(redirections)
            if redirections:
                yield Command((), redirections, inner)
    for word in words_of(statement):
        for substitution in substitutions(word):
            yield from _commands(substitution.body, streams if substitution.reads else streams.piped())
    if isinstance(statement, Pipeline):
        for member in statement.members[:-1]:
            yield from _command(member, streams.piped())
        yield from _command(statement.members[-1], streams)
    else:
        yield from _commands(statements_of(statement), inner)


def _redirections(redirections: Iterable[syntax.Redirection]) -> tuple[Redirection, ...]:
    """The redirections from and to files. A here-document opens no file."""
    return tuple(
        Redirection(each.operator, each.descriptor, _target(each))
        for each in redirections
        if not each.operator.startswith("<<")
    )


def _target(redirection: syntax.Redirection) -> Known | None:
    target = known(redirection.target)
    return None if redirection.operator in {">&", "<&"} and target.text == "-" else target
