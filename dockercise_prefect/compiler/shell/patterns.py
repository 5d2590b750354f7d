"""Which words of a command are patterns or programs: in `sed '/build/d'` the word is no path."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tree_sitter import Node

from dockercise_prefect.compiler.shell.literals import literal
from dockercise_prefect.compiler.shell.parse import Parsed


@dataclass(frozen=True, slots=True)
class _Usage:
    """How a command is told its pattern or program (POSIX, GNU and gawk's manuals).

    Attributes:
        given_by: letters of options whose value is one. In `long` the same for options in words.
        read_from: letters of options whose value is a file that holds it.
        with_value: letters of other options with a value.
        is_operand: whether its first operand is one, where no option gave it.
    """

    given_by: str
    read_from: str
    with_value: str
    long_given_by: frozenset[str] = frozenset()
    long_with_value: frozenset[str] = frozenset()
    is_operand: bool = True


_LONG_OF_GREP = (
    "after-context before-context binary-files context devices directories exclude exclude-dir exclude-from include label "
    "max-count"
)
_GREP = _Usage("e", "f", "ABCDdm", frozenset({"regexp"}), frozenset(_LONG_OF_GREP.split()))
_AWK = _Usage("e", "f", "Fvil", frozenset({"source"}), frozenset({"assign", "field-separator", "include", "load"}))
_USAGES = {
    **dict.fromkeys(("grep", "egrep", "fgrep"), _GREP),
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk"), _AWK),
    "sed": _Usage("e", "f", "l", frozenset({"expression"}), frozenset({"line-length"})),
    "perl": _Usage("eE", "", "", is_operand=False),
}

_RUNNERS = frozenset(
    {"busybox", "command", "doas", "env", "exec", "find", "nice", "nohup", "parallel", "sudo", "time", "timeout", "xargs"}
)
"""Commands that run another one, which stands among their words."""


def patterns(name: Node, arguments: Sequence[Node], script: Parsed) -> Iterator[Node]:
    """The words of a command that are patterns or programs.

    Args:
        name: the command's name.
        arguments: its other words.
        script: that they stand in.
    """
    words = [name, *arguments]
    texts = [literal(word, script).text for word in words]
    called = posixpath.basename(texts[0])
    start = 0
    if called in _RUNNERS:
        start = next((at for at, text in enumerate(texts) if posixpath.basename(text) in _USAGES), 0)
        called = posixpath.basename(texts[start])
    usage = _USAGES.get(called)
    if usage is not None:
        yield from (words[start + 1 + at] for at in _positions(usage, texts[start + 1 :]))


def _positions(usage: _Usage, texts: Sequence[str]) -> Iterator[int]:
    is_given = not usage.is_operand
    at = 0
    while at < len(texts):
        text = texts[at]
        option = _Option.of(text, usage) if text.startswith("-") and text != "-" else None
        if option is None:
            if not is_given:
                yield at
            is_given = True
        elif option.gives:
            yield at if option.has_value else at + 1 if at + 1 < len(texts) else at
        if option is not None:
            is_given = is_given or option.gives or option.reads
            takes_next = option.takes_value and not option.has_value
            at += takes_next or (text == "-i" and texts[at + 1 : at + 2] == [""])  # BSD's `sed -i ''`
        at += 1


@dataclass(frozen=True, slots=True)
class _Option:
    """One word of options.

    Attributes:
        gives: its value is a pattern or program. `reads`: its value is a file that holds one.
        takes_value: it has a value. `has_value`: which stands in the same word.
    """

    gives: bool = False
    reads: bool = False
    takes_value: bool = False
    has_value: bool = False

    @classmethod
    def of(cls, text: str, usage: _Usage) -> _Option:
        if text.startswith("--"):
            name, equals, _ = text[2:].partition("=")
            gives, reads = name in usage.long_given_by, name == "file"
            return cls(gives, reads, gives or reads or name in usage.long_with_value, bool(equals))
        for at, letter in enumerate(text[1:], start=1):
            gives, reads = letter in usage.given_by, letter in usage.read_from
            if gives or reads or letter in usage.with_value:
                return cls(gives, reads, takes_value=True, has_value=at + 1 < len(text))
        return cls()
