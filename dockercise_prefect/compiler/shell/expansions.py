"""Reads the words of a shell script: quotes, escapes, and the expansions of `$…`."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dockercise_prefect.compiler.shell.syntax import (
    Arithmetic,
    Expansion,
    Part,
    Statement,
    Substitution,
    Text,
    Unclosed,
    Word,
)

DEEPEST = 40
"""The most levels of nesting that are followed. Each level uses some of Python's stack."""

_PLAIN = re.compile(r"[^\s;&|()<>$`\"'\\]+")
_PLAIN_IN_QUOTES = re.compile(r"[^$`\"\\]+")
_PLAIN_IN_DOCUMENT = re.compile(r"[^$`\\]+")
_PLAIN_IN_BRACES = re.compile(r"[^$`\"'\\}]+")
_PLAIN_IN_QUOTED_BRACES = re.compile(r"[^$`\"\\}]+")
_PLAIN_IN_ARITHMETIC = re.compile(r"[^$`\"'\\()\[\]]+")
_PLAIN_IN_PATTERN = re.compile(r"[^\s$`\"'\\()]+")
_PARAMETER = re.compile(r"\{([#!]?)([A-Za-z_]\w*|\d+|[@*#?$!_-])", re.ASCII)
_SIMPLE = re.compile(r"[A-Za-z_]\w*|[\d@*#?$!-]", re.ASCII)
_OPERATOR = re.compile(r":[-=?+]|[-=?+]|##?|%%?|//?|\^\^?|,,?|@|:")
_DELIMITER = re.compile(r"(?:\\(?s:.)|'[^'\n]*'|\"(?:\\.|[^\"\\\n])*\"|\$(?=['\"])|[^\s;&|()<>\"'\\])*")
_DELIMITER_QUOTES = re.compile(r"\\(.)|['\"]|\$(?=['\"])", re.DOTALL)
_BACKQUOTED = re.compile(r"(?:[^`\\]|\\.)*", re.DOTALL)
_ANSI = re.compile(r"(?:[^'\\]|\\.)*", re.DOTALL)

_DEFAULTS = frozenset({":-", "-", ":=", "=", ":?", "?", ":+", "+"})
"""Operators whose word replaces the variable, or is shown. In double quotes, single quotes in this word have no effect."""

_EXTENDED = frozenset("?*+@!")
"""Characters that turn the parenthesis after them into a pattern."""

_SECOND_LOOKS = 16
"""How often a script's `$((` is read again because it turns out to begin a substitution."""


class TooDeepError(Exception):
    """The script is nested deeper than the limit."""


class ExpansionReader(ABC):
    """Reads words from a script, from left to right.

    Attributes:
        script: the whole script.
        at: index at which reading continues.
        end: index at which reading ends.
        understood: whether everything so far fits the grammar.
        unclosed: the innermost part that is open at the script's end; it may contain what closes the others.
        depth: depth of the nesting.
    """

    def __init__(self, script: str, positions: Sequence[int] | None, depth: int) -> None:
        self.script = script
        self.at = 0
        self.end = len(script)
        self.understood = True
        self.unclosed: Unclosed | None = None
        self.depth = depth
        self._positions = positions
        self._second_looks = _SECOND_LOOKS

    @abstractmethod
    def substituted(self, close: str, opening: int) -> list[Statement]:
        """The statements up to `close`, which is passed; `opening` is where the part that it closes begins."""

    @abstractmethod
    def inner(self, script: str, positions: Sequence[int]) -> list[Statement]:
        """The statements of a text of its own."""

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Run the body one level of nesting deeper."""
        if self.depth >= DEEPEST:
            raise TooDeepError
        self.depth += 1
        yield
        self.depth -= 1

    def place(self, index: int) -> int:
        """The position in the whole script of a character of this text."""
        if self._positions is None:
            return index
        return self._positions[index] if index < len(self._positions) else (self._positions[-1] + 1 if self._positions else 0)

    def leave_open(self, close: str, start: int) -> None:
        """Note that the script ends inside of the part that begins at `start` and that `close` would end."""
        self.understood = False
        self.unclosed = self.unclosed or Unclosed(close, self.place(start))

    def word(self) -> Word | None:
        """The word that begins here; None if no word begins here."""
        start = self.at
        parts: list[Part] = []
        while self.at < self.end:
            plain = _PLAIN.match(self.script, self.at, self.end)
            if plain:
                self._text(plain[0], parts)
                continue
            sign = self.script[self.at]
            if sign in "<>" and self.script.startswith("(", self.at + 1, self.end):
                begin = self.at
                self.at += 2
                parts.append(Substitution(self.substituted(")", begin), self.place(begin), reads=sign == ">"))
            elif sign == "(" and self.at > start and self.script[self.at - 1] in _EXTENDED:
                self._parenthesis(parts)
            elif not self._special(sign, parts):
                break
        return Word(parts, self.place(start)) if self.at > start else None

    def pattern(self) -> Word | None:
        """A word after `=~`, in which parentheses and bars are part of the word."""
        start = self.at
        parts: list[Part] = []
        while self.at < self.end:
            plain = _PLAIN_IN_PATTERN.match(self.script, self.at, self.end)
            if plain:
                self._text(plain[0], parts)
                continue
            sign = self.script[self.at]
            if sign == "(":
                self._parenthesis(parts)
            elif not self._special(sign, parts):
                break
        return Word(parts, self.place(start)) if self.at > start else None

    def _parenthesis(self, parts: list[Part]) -> None:
        """A pattern in parentheses, which may nest."""
        start, open_ones = self.at, 0
        while self.at < self.end:
            sign = self.script[self.at]
            if sign in "()":
                open_ones += 1 if sign == "(" else -1
                self._text(sign, parts)
                if open_ones == 0:
                    return
            elif not self._special(sign, parts):
                plain = _PLAIN_IN_PATTERN.match(self.script, self.at, self.end)
                self._text(plain[0] if plain else sign, parts)
        self.leave_open(")", start)

    def document(self, begin: int, stop: int) -> Word:
        """The lines of a here-document that is expanded."""
        end, self.at, self.end = self.end, begin, stop
        parts: list[Part] = []
        while self.at < self.end:
            plain = _PLAIN_IN_DOCUMENT.match(self.script, self.at, self.end)
            if plain:
                self._text(plain[0], parts, quoted=True)
            elif self.script[self.at] == "\\":
                self._escape("$`\\", parts)
            else:
                self._substitute(parts, quoted=True)
        self.end = end
        return Word(parts, self.place(begin))

    def arithmetic(self, close: str) -> Word:
        """An expression up to `))` or `]`, which is passed."""
        return self._expression(close)[0]

    def delimiter(self) -> tuple[str, bool]:
        """The delimiter of a here-document, and whether it is quoted: then nothing is expanded in the document."""
        match = _DELIMITER.match(self.script, self.at, self.end)
        raw = match[0] if match else ""
        self.at += len(raw)
        plain = _DELIMITER_QUOTES.sub(lambda quote: quote[1] or "", raw)
        quoted = plain != raw
        self.understood = self.understood and bool(raw)
        return plain, quoted

    def _text(self, text: str, parts: list[Part], *, quoted: bool = False) -> None:
        parts.append(Text(text, self.place(self.at), quoted))
        self.at += len(text)

    def _special(self, sign: str, parts: list[Part]) -> bool:
        """Read what is the same in all words: quotes, escapes, expansions. Returns False if the sign begins none of these."""
        match sign:
            case "'":
                self._single(parts)
            case '"':
                self._double(parts)
            case "\\":
                self._escape(None, parts)
            case "$" | "`":
                self._substitute(parts)
            case _:
                return False
        return True

    def _single(self, parts: list[Part]) -> None:
        close = self.script.find("'", self.at + 1, self.end)
        if close < 0:
            self.leave_open("'", self.at)
        stop = self.end if close < 0 else close
        self.at += 1
        self._text(self.script[self.at : stop], parts, quoted=True)
        self.at = min(stop + 1, self.end)

    def _double(self, parts: list[Part]) -> None:
        start = self.at
        self.at += 1
        parts.append(Text("", self.place(self.at), quoted=True))
        while self.at < self.end:
            plain = _PLAIN_IN_QUOTES.match(self.script, self.at, self.end)
            if plain:
                self._text(plain[0], parts, quoted=True)
                continue
            sign = self.script[self.at]
            if sign == '"':
                self.at += 1
                return
            if sign == "\\":
                self._escape('$`"\\', parts)
            else:
                self._substitute(parts, quoted=True)
        self.leave_open('"', start)

    def _escape(self, protected: str | None, parts: list[Part]) -> None:
        """A backslash. It protects every character, or only those in `protected`; before others it stands for itself."""
        following = self.script[self.at + 1 : min(self.at + 2, self.end)]
        if following == "\n":
            self.at += 2
        elif following and (protected is None or following in protected):
            self.at += 1
            self._text(following, parts, quoted=True)
        else:
            self._text("\\", parts, quoted=True)

    def _substitute(self, parts: list[Part], *, quoted: bool = False) -> None:
        """Read an expansion that begins with `$` or a backquote."""
        start = self.at
        place = self.place(start)
        if self.script[start] == "`":
            parts.append(Substitution(self._backquoted(quoted=quoted), place))
            return
        following = self.script[start + 1 : min(start + 2, self.end)]
        simple = _SIMPLE.match(self.script, start + 1, self.end)
        if simple:
            self.at = simple.end()
            parts.append(Expansion(simple[0], self.script[start : self.at], place))
        elif following == "(":
            parts.append(self._parenthesised(place))
        elif following == "[":
            self.at += 2
            parts.append(Arithmetic(self.arithmetic("]"), place))
        elif following == "{" and self._braces(parts, quoted=quoted):
            pass
        elif following == "'" and not quoted:
            self._ansi(parts)
        elif following == '"' and not quoted:
            self.at += 1
        else:
            self._text("$", parts, quoted=quoted)

    def _ansi(self, parts: list[Part]) -> None:
        match = _ANSI.match(self.script, self.at + 2, self.end)
        text = match[0] if match else ""
        start = self.at
        self.at += 2
        self._text(text, parts, quoted=True)
        if self.at >= self.end:
            self.leave_open("'", start)
        self.at = min(self.at + 1, self.end)

    def _parenthesised(self, place: int) -> Part:
        """`$((…))`, or `$(…)`, which may begin with a parenthesis too."""
        start = self.at
        if self.script.startswith("((", start + 1, self.end):
            before = self.understood, self.unclosed
            self.at = start + 3
            expression, closed = self._expression("))")
            if closed or not self._second_looks:
                return Arithmetic(expression, place)
            self._second_looks -= 1
            self.understood, self.unclosed = before
        self.at = start + 2
        return Substitution(self.substituted(")", start), place)

    def _expression(self, close: str) -> tuple[Word, bool]:
        """An expression, and whether it ended correctly."""
        start = self.at
        parts: list[Part] = []
        opened = 0
        opens, closes = ("[", "]") if close == "]" else ("(", ")")
        with self.deeper():
            while self.at < self.end:
                plain = _PLAIN_IN_ARITHMETIC.match(self.script, self.at, self.end)
                if plain:
                    self._text(plain[0], parts)
                    continue
                sign = self.script[self.at]
                if sign == closes and opened == 0:
                    whole = self.script.startswith(close, self.at, self.end)
                    self.at += len(close) if whole else 1
                    self.understood = self.understood and whole
                    return Word(parts, self.place(start)), whole
                opened += (sign == opens) - (sign == closes)
                if sign in "$`":
                    self._substitute(parts, quoted=True)
                elif sign in "\"'":
                    self.at += 1
                else:
                    self._text(sign, parts)
        self.leave_open(close, start)
        return Word(parts, self.place(start)), True

    def _braces(self, parts: list[Part], *, quoted: bool) -> bool:
        """Read `${A…}`. Returns False if there is no parameter in the braces."""
        start = self.at
        parameter = _PARAMETER.match(self.script, start + 1, self.end)
        if parameter is None:
            self.understood = False
            return False
        self.at = parameter.end()
        expansion = Expansion(parameter[2], self.script[start : self.at], self.place(start))
        if self.script.startswith("[", self.at, self.end):
            self.at += 1
            expansion.subscript = self.arithmetic("]")
        operator = _OPERATOR.match(self.script, self.at, self.end)
        expansion.operator = operator[0] if operator else ""
        self.at += len(expansion.operator)
        expansion.word = self._operand(expansion.operator, start, quoted=quoted)
        parts.append(expansion)
        return True

    def _operand(self, operator: str, opening: int, *, quoted: bool) -> Word:
        """The text after the parameter in braces, up to the closing brace, which is passed."""
        start = self.at
        parts: list[Part] = []
        bare_quotes = quoted and operator in _DEFAULTS
        pieces = _PLAIN_IN_QUOTED_BRACES if bare_quotes else _PLAIN_IN_BRACES
        with self.deeper():
            while self.at < self.end:
                plain = pieces.match(self.script, self.at, self.end)
                if plain:
                    self._text(plain[0], parts, quoted=quoted)
                    continue
                sign = self.script[self.at]
                if sign == "}":
                    word = Word(parts, self.place(start))
                    self.at += 1
                    return word
                if sign == "\\":
                    self._escape('$`"\\}' if bare_quotes else None, parts)
                elif sign in "$`":
                    self._substitute(parts, quoted=bare_quotes)
                else:
                    self._special(sign, parts)
        self.leave_open("}", opening)
        return Word(parts, self.place(start))

    def _backquoted(self, *, quoted: bool) -> list[Statement]:
        match = _BACKQUOTED.match(self.script, self.at + 1, self.end)
        begin, stop = (match.start(), match.end()) if match else (self.at + 1, self.at + 1)
        protected = '$`\\"' if quoted else "$`\\"
        text: list[str] = []
        positions: list[int] = []
        index = begin
        while index < stop:
            if self.script[index] == "\\" and self.script[index + 1 : index + 2] in protected and index + 1 < stop:
                index += 1
            text.append(self.script[index])
            positions.append(self.place(index))
            index += 1
        if stop >= self.end:
            self.leave_open("`", begin - 1)
        self.at = min(stop + 1, self.end)
        if self.depth >= DEEPEST:
            raise TooDeepError
        return self.inner("".join(text), positions)
