"""Walks through a script: the words and statements in a statement, and the substitutions in a word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dockercise_prefect.compiler.shell.syntax import (
    Arithmetic,
    Assignment,
    Calculation,
    Command,
    Condition,
    Expansion,
    Function,
    Group,
    Pipeline,
    Redirection,
    Statement,
    Substitution,
    Word,
)


def all_words(statements: Iterable[Statement]) -> Iterator[Word]:
    """Every word of a script, including the words in substitutions, defaults and arithmetic."""
    for statement in statements:
        for word in words_of(statement):
            yield from _with_inner(word)
        yield from all_words(statements_of(statement))


def words_of(statement: Statement) -> Iterator[Word]:
    """The words of a statement itself, without those of the statements in it."""
    match statement:
        case Command(assignments, words, redirections):
            for each in (*assignments, *words):
                yield from _words_of_assignment(each) if isinstance(each, Assignment) else (each,)
            yield from _words_of_redirections(redirections)
        case Group():
            yield from (*(statement.words or ()), *(statement.patterns or ()))
            yield from _words_of_redirections(statement.redirections)
        case Calculation(expression):
            yield expression
        case Condition(words):
            yield from words


def statements_of(statement: Statement) -> list[Statement]:
    """The statements that a compound one, a pipeline or a function holds."""
    match statement:
        case Pipeline(members):
            return members
        case Group() | Function():
            return statement.body
        case _:
            return []


def substitutions(word: Word) -> Iterator[Substitution]:
    """The substitutions in a word, including those in its defaults and its arithmetic, but not those inside of others."""
    for part in word.parts:
        match part:
            case Substitution():
                yield part
            case Arithmetic(expression):
                yield from substitutions(expression)
            case Expansion():
                for each in _words_of_expansion(part):
                    yield from substitutions(each)


def _with_inner(word: Word) -> Iterator[Word]:
    yield word
    for part in word.parts:
        match part:
            case Substitution(body):
                yield from all_words(body)
            case Arithmetic(expression):
                yield from _with_inner(expression)
            case Expansion():
                for each in _words_of_expansion(part):
                    yield from _with_inner(each)


def _words_of_expansion(expansion: Expansion) -> Iterator[Word]:
    yield from (word for word in (expansion.subscript, expansion.word) if word is not None)


def _words_of_assignment(assignment: Assignment) -> Iterator[Word]:
    yield from assignment.values
    if assignment.subscript is not None:
        yield assignment.subscript


def _words_of_redirections(redirections: Iterable[Redirection]) -> Iterator[Word]:
    for redirection in redirections:
        yield redirection.target
        if redirection.document is not None:
            yield redirection.document.body
