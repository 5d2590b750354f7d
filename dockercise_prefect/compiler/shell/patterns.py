"""Finds the words of a command that are patterns or programs: in `sed '/build/d'`, the word is not a path."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dockercise_prefect.compiler.shell.literals import Form


@dataclass(frozen=True, slots=True)
class _Usage:
    """How a command gets its pattern or program (POSIX, GNU and the programs' own manuals).

    Attributes:
        given_by: letters of options whose value is one. `long_given_by`: the same for long options.
        read_from: letters of options whose value is a file that contains one.
        with_value: letters of other options with a value.
        is_operand: whether its first operand is one if no option gave it.
        form: how it contains paths; None if it contains none.
        verb: the word that must come after the command's name.
    """

    given_by: str
    read_from: str
    with_value: str
    long_given_by: frozenset[str] = frozenset()
    long_with_value: frozenset[str] = frozenset()
    is_operand: bool = True
    form: Form | None = None
    verb: str = ""


_LONG_OF_GREP = (
    "after-context before-context binary-files context devices directories exclude exclude-dir exclude-from include label "
    "max-count"
)
_GREP = _Usage("e", "f", "ABCDdm", frozenset({"regexp"}), frozenset(_LONG_OF_GREP.split()))
_RG = _Usage("e", "f", "ABCEMTdgjmrt", frozenset({"regexp"}), frozenset({"glob", "iglob", "type", "max-count", "replace"}))
_AWK = _Usage(
    "e", "f", "Fvil", frozenset({"source"}), frozenset({"assign", "field-separator", "include", "load"}), form=Form.PROGRAM
)
_SED = _Usage("e", "f", "l", frozenset({"expression"}), frozenset({"line-length"}))
_JQ = _Usage("", "f", "L", frozenset(), frozenset({"indent", "from-file"}))
_SCRIPTED = _Usage("ce", "", "mWX", frozenset({"eval", "print"}), is_operand=False, form=Form.PROGRAM)
_PERL = _Usage("eE", "", "", is_operand=False, form=Form.PROGRAM)

_USAGES: Mapping[str, _Usage] = {
    **dict.fromkeys(("grep", "egrep", "fgrep", "ggrep", "zgrep", "zegrep", "zfgrep", "bzgrep", "xzgrep", "pcregrep"), _GREP),
    **dict.fromkeys(("pcre2grep", "ugrep"), _GREP),
    **dict.fromkeys(("rg", "ag", "ack", "ack-grep"), _RG),
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk"), _AWK),
    **dict.fromkeys(("sed", "gsed"), _SED),
    **dict.fromkeys(("jq", "jaq", "gojq", "yq"), _JQ),
    **dict.fromkeys(("python", "python2", "python3", "pypy3"), _SCRIPTED),
    **dict.fromkeys(("perl", "ruby"), _PERL),
    **dict.fromkeys(
        ("node", "bun", "deno", "Rscript", "lua"),
        _Usage("ep", "", "r", _SCRIPTED.long_given_by, is_operand=False, form=Form.PROGRAM),
    ),
    "php": _Usage("rBRE", "", "d", is_operand=False, form=Form.PROGRAM),
    "git": _Usage("e", "f", "ABCOm", is_operand=True, verb="grep"),
}

_RUNNERS = frozenset(
    {"busybox", "command", "doas", "env", "exec", "find", "nice", "nohup", "parallel", "sudo", "time", "timeout", "xargs"}
)
"""Commands that run another command, which is among their words."""

_RUN_OPTIONS_END = 40
"""The number of words among which the command that another one runs is searched."""


def given(texts: Sequence[str]) -> Iterator[tuple[int, Form | None]]:
    """The words of a command that are patterns or programs, and how they contain paths.

    Args:
        texts: the words, the command's name first.
    """
    start = _begins(texts)
    usage = _USAGES.get(posixpath.basename(texts[start]))
    if usage is None:
        return
    if usage.verb:
        if usage.verb not in texts[start + 1 : start + 4]:
            return
        start = texts.index(usage.verb, start + 1)
    yield from ((start + 1 + at, usage.form) for at in _positions(usage, texts[start + 1 :]))


def _begins(texts: Sequence[str]) -> int:
    """Index of the actual command, after `sudo`, `xargs` and similar commands."""
    if posixpath.basename(texts[0]) not in _RUNNERS:
        return 0
    among = enumerate(texts[:_RUN_OPTIONS_END])
    return next((at for at, text in among if posixpath.basename(text) in _USAGES), 0)


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
        gives: whether its value is a pattern or program. `reads`: whether its value is a file that contains one.
        takes_value: whether it has a value. `has_value`: whether the value is in the same word.
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
