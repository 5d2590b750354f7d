"""Reads a shell script: the syntax of POSIX and the additions of bash, in time linear in its length.

It never fails because of the syntax. Text that does not fit is read as words, and `Script.understood` is false.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dockercise_prefect.compiler.shell.redirections import BLANKS, RedirectionReader
from dockercise_prefect.compiler.shell.syntax import (
    Assignment,
    Calculation,
    Command,
    Condition,
    Function,
    Group,
    Pipeline,
    Redirection,
    Statement,
    Text,
    Unclosed,
    Word,
)

_COMMENT = re.compile(r"#[^\n]*")
_HEAD = re.compile(r"(?:[A-Za-z]+|[{}!]|\[\[)(?=[\s;&|()<>]|\Z)")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(\+?=|\[)", re.ASCII)
_FUNCTION = re.compile(r"([^\s;&|()<>$`\"'\\=#]+)[ \t]*\([ \t]*\)", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SEPARATORS = re.compile(r"(?:;;&|;;|;&|\|\||&&|\|&|[;&|\n])")

_OPENING = {"if": "fi", "while": "done", "until": "done", "{": "}"}
_BETWEEN = frozenset({"then", "elif", "else", "do", "!"})
_CLOSING = frozenset({"fi", "done", "esac", "}"})
_CASE_ENDS = (";;&", ";;", ";&")


@dataclass(frozen=True, slots=True)
class Script:
    """A script that has been read.

    Attributes:
        understood: whether all of it fits the grammar.
        unclosed: the part that is open at its end.
    """

    statements: list[Statement]
    understood: bool
    unclosed: Unclosed | None


def read(script: str, positions: Sequence[int] | None = None, depth: int = 0) -> Script:
    """Read a script.

    Args:
        script: its text.
        positions: position of each character, if it is not its index, for a script inside another one.
        depth: depth of the nesting around it.

    Raises:
        TooDeepError: the script is nested deeper than `expansions.DEEPEST`.
    """
    reader = _Reader(script, positions, depth)
    statements = reader.statements(())
    return Script(statements, reader.understood, reader.unclosed)


class _Reader(RedirectionReader):
    """Reads statements; `RedirectionReader` reads the words and redirections in them."""

    def substituted(self, close: str, opening: int) -> list[Statement]:
        """The statements up to `close`, which is passed; `opening` is where the part that it closes begins."""
        pending, self.pending = self.pending, []
        with self.deeper():
            found = self.statements((close,))
        self.pending = [*self.pending, *pending]
        self._close(close, opening)
        return found

    def inner(self, script: str, positions: Sequence[int]) -> list[Statement]:
        """The statements of a text of its own, such as that between backquotes."""
        read_inside = read(script, positions, self.depth + 1)
        self.understood = self.understood and read_inside.understood
        self.unclosed = self.unclosed or read_inside.unclosed
        return read_inside.statements

    def statements(self, ends: Collection[str]) -> list[Statement]:
        """Statements up to a word or sign of `ends`, which is not passed, or to the end."""
        found: list[Statement] = []
        piped = ended = False
        while self._skip():
            if self._ends_here(ends):
                return found
            separator = _SEPARATORS.match(self.script, self.at, self.end)
            if separator:
                sign = separator[0]
                if found and not ended:
                    found[-1] = self._before(sign, found[-1])
                self._pass(sign)
                piped = sign in {"|", "|&"} or (piped and sign == "\n")
                ended = True
                continue
            start = self.at
            statement = self._statement()
            if statement is not None:
                if piped and found:
                    before = found[-1]
                    if isinstance(before, Pipeline):
                        before.members.append(statement)
                    else:
                        found[-1] = Pipeline([before, statement])
                else:
                    found.append(statement)
                piped = ended = False
            elif self.at == start:  # a sign that nothing opened
                self.understood = False
                self.at += 1
        if ends:
            self.understood = False
        return found

    def _pass(self, separator: str) -> None:
        self.at += len(separator)
        if separator == "\n":
            self.here_documents()

    def _before(self, separator: str, statement: Statement) -> Statement:
        """A statement, changed by the separator after it."""
        if separator == "&":
            return Group([statement], [], own_process=True)
        if separator == "|&":
            last = statement.members[-1] if isinstance(statement, Pipeline) else statement
            if isinstance(last, Command | Group):
                last.redirections.append(self._errors_too())
        return statement

    def _errors_too(self) -> Redirection:
        """The redirection `2>&1`, which `|&` implies."""
        place = self.place(self.at)
        return Redirection(">&", Word([Text("1", place, quoted=False)], place), descriptor=2)

    def _skip(self) -> bool:
        """Pass blanks and comments."""
        while True:
            blanks = BLANKS.match(self.script, self.at, self.end)
            self.at = blanks.end() if blanks else self.at
            comment = _COMMENT.match(self.script, self.at, self.end)
            if comment is None:
                return self.at < self.end
            self.at = comment.end()

    def _ends_here(self, ends: Collection[str]) -> bool:
        for end in ends:
            if self.script.startswith(end, self.at, self.end) and (not end[0].isalpha() and end != "}"):
                return True
        head = _HEAD.match(self.script, self.at, self.end)
        return head is not None and head[0] in ends

    def _close(self, close: str, opening: int) -> None:
        """Pass a sign or word that ends the part that begins at `opening`."""
        if self.script.startswith(close, self.at, self.end):
            self.at += len(close)
        elif self.at >= self.end:
            self.leave_open(close, opening)
        else:
            self.understood = False

    def _statement(self) -> Statement | None:
        """One command; None for a word that only separates commands."""
        start = self.at
        head = _HEAD.match(self.script, self.at, self.end)
        word = head[0] if head else ""
        if head and word in _BETWEEN:
            self.at = head.end()
            return None
        if head and word in _CLOSING:
            self.understood = False
            self.at = head.end()
            return None
        if head and word in _OPENING:
            self.at = head.end()
            return self._group(_OPENING[word], start)
        if self.script.startswith("((", self.at, self.end):
            self.at += 2
            return Calculation(self.arithmetic("))"))
        if self.script.startswith("(", self.at, self.end):
            self.at += 1
            return self._group(")", start, own_process=True)
        return self._named(word) if head else self._function_or_command()

    def _named(self, word: str) -> Statement | None:
        start = self.at
        self.at += len(word)
        match word:
            case "for" | "select":
                return self._loop(start)
            case "case":
                return self._case(start)
            case "[[":
                return self._condition(start)
            case "function":
                self._skip()
                name = self.word()
                self._skip()
                if self.script.startswith("(", self.at, self.end):
                    self.at += 1
                    self._skip()
                    self._close(")", self.at - 1)
                return self._function(name.bare if name else "")
            case _:
                self.at = start
                return self._function_or_command()

    def _group(self, end: str, start: int, *, own_process: bool = False) -> Group:
        with self.deeper():
            body = self.statements((end,))
        self._close(end, start)
        return Group(body, self.redirections(), own_process)

    def _loop(self, start: int) -> Statement | None:
        self._skip()
        if self.script.startswith("((", self.at, self.end):
            self.at += 2
            calculation = Calculation(self.arithmetic("))"))
            group = self._body_of_loop(start)
            group.body.insert(0, calculation)
            return group
        name = _NAME.match(self.script, self.at, self.end)
        if name is None:
            self.understood = False
            return self._function_or_command()
        self.at = name.end()
        self._lines()
        words: list[Word] | None = None
        head = _HEAD.match(self.script, self.at, self.end)
        if head and head[0] == "in":
            self.at = head.end()
            words = []
            while self._skip() and (word := self.word()) is not None:
                words.append(word)
        group = self._body_of_loop(start)
        group.loops_over, group.words = name[0], words
        return group

    def _body_of_loop(self, start: int) -> Group:
        self._lines()
        head = _HEAD.match(self.script, self.at, self.end)
        brace = head is not None and head[0] == "{"  # bash and zsh accept `for i in a; { …; }`
        if head is None or head[0] not in {"do", "{"}:
            self.understood = False
        else:
            self.at = head.end()
        return self._group("}" if brace else "done", start)

    def _lines(self) -> None:
        """Pass blanks, line ends and one semicolon between the parts of a loop."""
        while self._skip() and self.script[self.at] in "\n;":
            self.at += 1
            if self.script[self.at - 1] == "\n":
                self.here_documents()

    def _case(self, opening: int) -> Group:
        self._skip()
        looked_at = self.word()
        self._lines()
        head = _HEAD.match(self.script, self.at, self.end)
        if head and head[0] == "in":
            self.at = head.end()
        else:
            self.understood = False
        body: list[Statement] = []
        patterns: list[Word] = []
        with self.deeper():
            while True:
                self._lines()
                if self.at >= self.end or self._ends_here(("esac",)):
                    break
                start = self.at
                if self.script[self.at] == "(":
                    self.at += 1
                self._patterns(patterns)
                body += self.statements((*_CASE_ENDS, "esac"))
                separator = next((end for end in _CASE_ENDS if self.script.startswith(end, self.at, self.end)), "")
                self.at += len(separator)
                if self.at == start:
                    self.understood = False
                    self.at += 1
        self._close("esac", opening)
        return Group(body, self.redirections(), words=[looked_at] if looked_at else [], patterns=patterns)

    def _patterns(self, patterns: list[Word]) -> None:
        while self._skip():
            word = self.word()
            if word is not None:
                patterns.append(word)
                continue
            sign = self.script[self.at]
            if sign in "|)":
                self.at += 1
            if sign != "|":
                self.understood = self.understood and sign == ")"
                return

    def _condition(self, start: int) -> Condition:
        words: list[Word] = []
        while self._skip():
            if self.script.startswith("]]", self.at, self.end):
                self.at += 2
                return Condition(words)
            behind = words[-1].bare if words else ""
            word = self.pattern() if behind == "=~" else self.word()
            if word is not None:
                words.append(word)
                continue
            sign = self.script[self.at]
            self.at += 1
            if sign == "\n":
                self.here_documents()
            elif sign not in "()&|<>":
                self.understood = False
                return Condition(words)
        self.leave_open("]]", start)
        return Condition(words)

    def _function(self, name: str) -> Function:
        self._lines()
        with self.deeper():
            statement = self._statement() if self.at < self.end else None
        if statement is None:
            self.understood = False
        return Function(name, [statement] if statement else [])

    def _function_or_command(self) -> Statement | None:
        function = _FUNCTION.match(self.script, self.at, self.end)
        if function:
            self.at = function.end()
            return self._function(function[1])
        return self._command()

    def _command(self) -> Command | None:
        command = Command([], [], [])
        while True:
            blanks = BLANKS.match(self.script, self.at, self.end)
            self.at = blanks.end() if blanks else self.at
            if self.at >= self.end or self.script[self.at] in "\n;|)":
                break
            if self.redirection(command.redirections):
                continue
            if self.script[self.at] == "#":
                break
            assignment = self._assignment()
            if assignment is not None:
                (command.words or command.assignments).append(assignment)
                continue
            word = self.word()
            if word is None:
                break
            command.words.append(word)
        return command if command.words or command.assignments or command.redirections else None

    def _assignment(self) -> Assignment | None:
        match = _ASSIGNMENT.match(self.script, self.at, self.end)
        if match is None:
            return None
        start = self.at
        self.at = match.end()
        subscript = None
        operator = match[2]
        if operator == "[":
            subscript = self.arithmetic("]")
            operator = "+=" if self.script.startswith("+=", self.at, self.end) else "="
            if not self.script.startswith(operator, self.at, self.end):
                self.at = start
                return None
            self.at += len(operator)
        values = self._values()
        return Assignment(match[1], self.place(start), operator == "+=", values, subscript)

    def _values(self) -> list[Word]:
        if not self.script.startswith("(", self.at, self.end):
            word = self.word()
            return [word] if word else []
        start = self.at
        self.at += 1
        values: list[Word] = []
        while self._skip():
            if self.script[self.at] == "\n":
                self.at += 1
                continue
            word = self.word()
            if word is None:
                break
            values.append(word)
        self._close(")", start)
        return values
