"""A script as a list of plain commands: their words, their redirections, and whether what they print leaves the script."""

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
    """One command, wherever in the script it stands.

    Attributes:
        words: its name first; assignments before it are left out. None where only redirections stand, or those of a loop, a
            group or a function.
        redirections: from left to right.
        streams: where its output goes, its redirections and all around it considered.
    """

    words: tuple[Known, ...]
    redirections: tuple[Redirection, ...]
    streams: Streams

    @property
    def name(self) -> str | None:
        """What is called; None where only a run knows, or nothing is called."""
        return self.words[0].text if self.words else None


def commands_of(script: Script) -> tuple[Command, ...] | None:
    """All commands of a script, in the order written; None when the script was not understood as a whole."""
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
    """Those from and to files; a here-document opens none."""
    return tuple(
        Redirection(each.operator, each.descriptor, _target(each))
        for each in redirections
        if not each.operator.startswith("<<")
    )


def _target(redirection: syntax.Redirection) -> Known | None:
    target = known(redirection.target)
    return None if redirection.operator in {">&", "<&"} and target.text == "-" else target
