"""Commands that set variables, pass them on by name, change the working directory, or run a script in one of their words."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from dockercise_prefect.compiler.shell.habits import SHELLS, called, effective
from dockercise_prefect.compiler.shell.literals import HOLE, Literal
from dockercise_prefect.compiler.shell.naming import Mentions, Use
from dockercise_prefect.compiler.shell.scopes import Scope
from dockercise_prefect.compiler.shell.syntax import Assignment, Word

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)(?:\[[^\]]*\])?\+?=", re.ASCII)
_IN_TEXT = re.compile(r"\$\{?([A-Za-z_]\w*)", re.ASCII)

_READERS = {"read": "adinNptu", "mapfile": "dnOsuCc", "readarray": "dnOsuCc"}
"""Commands that set the variables that they name, with the letters of options that take a value."""

_BY_NAME = frozenset({"-e", "--env", "--build-arg"})
_LONGEST_PATH = 4096
"""The most characters of a working directory that is followed; the limit is that of paths in Linux."""

_COMMAND_OPTION = re.compile(r"-[a-zA-Z]*c\Z")


def is_shell(name: str) -> bool:
    """Whether a command runs shell scripts."""
    return called(name) in SHELLS


class Walk(Protocol):
    """The script that contains a command, and what the command may do to it (`walk.Walk`)."""

    found: Mentions

    def use(self, name: str, use: Use, scope: Scope) -> None:
        """Note that a variable's value is used."""
        ...

    def assign(self, name: str, scope: Scope, *, local: bool = False) -> None:
        """Note that a variable is set."""
        ...

    def test(self, words: Sequence[Word | Assignment]) -> None:
        """Note words that test whether variables are set."""
        ...

    def export(self, name: str, use: Use) -> None:
        """Note that a variable is passed on unchanged."""
        ...

    def calculate(self, expression: Word, scope: Scope, *, expand: bool = True) -> None:
        """Follow an arithmetic expression."""
        ...

    def script(self, text: Literal, scope: Scope) -> None:
        """Follow a text that is itself a script, run in this scope."""
        ...

    def deferred(self, text: Literal, scope: Scope) -> None:
        """Follow a script that runs later."""
        ...

    def make(self, text: Literal, scope: Scope) -> None:
        """Note a folder that the script makes."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a command.

    Attributes:
        walk: the script that contains it.
        name: name of the command.
        written: its other words.
        arguments: their texts.
        scope: the scope at the command.
    """

    walk: Walk
    name: str
    written: Sequence[Word | Assignment]
    arguments: Sequence[Literal]
    scope: Scope


def apply(walk: Walk, written: Sequence[Word | Assignment], texts: Sequence[Literal], scope: Scope) -> None:
    """Apply what a command does to its scope.

    Args:
        walk: the script that contains the command.
        written: its words, the name first.
        texts: their texts.
        scope: the scope at the command.
    """
    start = effective([text.text for text in texts])
    name = called(texts[start].text)
    effect = _EFFECTS.get(name)
    if effect is not None:
        effect(Call(walk, name, written[start + 1 :], texts[start + 1 :], scope))


def _declare(call: Call) -> None:
    """`local A` makes a local variable, `export A` passes on the existing one, and `export "A=x"` sets it."""
    name, arguments, scope, walk = call.name, call.arguments, call.scope, call.walk
    letters = {letter for text in arguments if text.text.startswith("-") for letter in text.text[1:]}
    hands_on = name in {"export", "readonly"} or (name != "local" and not letters.isdisjoint("xr"))
    local = name not in {"export", "readonly"} and "g" not in letters
    if {"n", "p", "f"} & letters:
        return
    for word, text in zip(call.written, arguments, strict=True):
        assigned = _ASSIGNED.match(text.text)
        if isinstance(word, Assignment):
            if word.appends:
                walk.use(word.name, Use(word.name, word.start), scope)
            walk.assign(word.name, scope, local=local)
        elif assigned:
            walk.assign(assigned[1], scope, local=local)
        elif _NAME.fullmatch(text.text):
            if hands_on and not scope.has(text.text):
                walk.export(text.text, Use(text.text, text.position(0)))
            elif not hands_on:
                walk.assign(text.text, scope, local=local)
        elif text.text.startswith(HOLE):
            scope.source()  # `export $(cat .env)`


def _unset(call: Call) -> None:
    _set_all(call, call.arguments)


def _read(call: Call) -> None:
    _set_all(call, _operands(call.arguments, _READERS[call.name]))


def _getopts(call: Call) -> None:
    _set_all(call, call.arguments[1:2])


def _printf(call: Call) -> None:
    if call.arguments and call.arguments[0].text == "-v":
        _set_all(call, call.arguments[1:2])


def _let(call: Call) -> None:
    for word in call.written:
        if isinstance(word, Assignment):
            for value in word.values:
                call.walk.calculate(value, call.scope, expand=False)
            call.walk.assign(word.name, call.scope)
        else:
            call.walk.calculate(word, call.scope, expand=False)


def _source(call: Call) -> None:
    call.scope.source()


def _trap(call: Call) -> None:
    if call.arguments and not call.arguments[0].text.startswith("-"):
        call.walk.deferred(call.arguments[0], call.scope)


def _printenv(call: Call) -> None:
    _use_all(call, call.arguments)


def _envsubst(call: Call) -> None:
    for text in call.arguments:
        for match in _IN_TEXT.finditer(text.text):
            call.walk.use(match[1], Use(match[0], text.position(match.start())), call.scope)


def _test(call: Call) -> None:
    call.walk.test([word for word in call.written if not isinstance(word, Word) or word.bare != "]"])
    for text, following in pairwise(call.arguments):
        if text.text == "-v":
            _use_all(call, [following])


def _set_all(call: Call, texts: Sequence[Literal]) -> None:
    for text in texts:
        match = _NAME.match(text.text)
        if match and (match.end() == len(text.text) or text.text[match.end()] == "["):
            call.walk.assign(match[0], call.scope)
        call.walk.found.evaluates |= HOLE in text.text


def _use_all(call: Call, texts: Sequence[Literal]) -> None:
    for text in texts:
        if _NAME.fullmatch(text.text):
            call.walk.use(text.text, Use(text.text, text.position(0)), call.scope)


def _operands(texts: Sequence[Literal], with_value: str) -> list[Literal]:
    """The words that are neither options nor their values; the value of `-a` is a variable too."""
    found: list[Literal] = []
    at = 0
    while at < len(texts):
        text = texts[at].text
        if not text.startswith("-") or text == "-":
            found.append(texts[at])
        elif text[-1] in with_value and text[-1] != "a":
            at += 1
        at += 1
    return found


def _move(call: Call) -> None:
    name, arguments, scope = call.name, call.arguments, call.scope
    to = [text.text for text in arguments if not text.text.startswith("-") or text.text == "-"]
    path = to[0] if to else ""
    if name == "popd" or not path or path == "-" or path.startswith(("~", "+")) or HOLE in path:
        scope.folder = posixpath.normpath(path) if _known_beginning(path) else None
    elif path.startswith("/"):
        scope.folder = "/" + posixpath.normpath(path).lstrip("/")
    elif scope.folder is not None:
        joined = posixpath.normpath(posixpath.join(scope.folder, path))
        scope.folder = joined if len(joined) <= _LONGEST_PATH else None


def _known_beginning(path: str) -> bool:
    """Whether a path with an expansion is certainly below a folder, so that relative paths after `cd` are too."""
    return path.startswith("/") and HOLE in path and HOLE not in path.split("/")[1]


def _make(call: Call) -> None:
    for made in _made(call.name, call.arguments):
        call.walk.make(made, call.scope)


def _made(name: str, arguments: Sequence[Literal]) -> Iterator[Literal]:
    """The folders and files that a command makes."""
    operands = [text for text in arguments if not text.text.startswith("-") and HOLE not in text.text]
    match name:
        case "mkdir":
            yield from operands
        case "install" if any(text.text == "-d" for text in arguments):
            yield from operands
        case "git" if operands and operands[0].text == "clone":
            yield from _cloned(operands[1:])
        case "git" if operands and operands[0].text == "init":
            yield from operands[-1:] if len(operands) > 1 else ()
        case "cp" | "mv" | "ln" if len(operands) > 1 and "/" not in operands[-1].text.rstrip("/"):
            yield operands[-1]


def _cloned(operands: Sequence[Literal]) -> Iterator[Literal]:
    if operands and "/" not in operands[-1].text:
        yield operands[-1]
    elif operands:
        last = operands[-1]
        name = posixpath.basename(last.text.rstrip("/")).removesuffix(".git")
        yield Literal(name, last.pieces)


def _evaluate(call: Call) -> None:
    for text in call.arguments:
        call.walk.found.evaluates |= HOLE in text.text
        call.walk.script(text, call.scope)


def _alias(call: Call) -> None:
    """The text of an alias is a script that runs later."""
    for text in call.arguments:
        name, equals, body = text.text.partition("=")
        if equals:
            offset = len(name) + 1
            pieces = tuple((max(0, at - offset), start + max(0, offset - at)) for at, start in text.pieces)
            call.walk.deferred(Literal(body, pieces), call.scope)


def _hand_on(call: Call) -> None:
    """`docker run -e A` and `docker build --build-arg A` pass a variable on by its name."""
    for at, text in enumerate(call.arguments):
        option, equals, value = text.text.partition("=")
        if option in _BY_NAME and equals and _NAME.fullmatch(value):
            call.walk.use(value, Use(value, text.position(len(option) + 1)), call.scope)
        elif option in _BY_NAME and not equals:
            _use_all(call, call.arguments[at + 1 : at + 2])


def _run(call: Call) -> None:
    """`sh -c '…'`: its process has the same variables, but sets none here."""
    for at, text in enumerate(call.arguments):
        if _COMMAND_OPTION.match(text.text) or text.text == "--command":
            for script in call.arguments[at + 1 : at + 2]:
                call.walk.script(script, call.scope.inner())
            return
        if not text.text.startswith("-") and at > _OPTIONS_OF_SHELLS:
            return


_OPTIONS_OF_SHELLS = 4
"""The number of words of a shell after which no `-c` is expected."""


def _find(call: Call) -> None:
    r"""`find … -exec sh -c '…' \;`."""
    for at, text in enumerate(call.arguments):
        if text.text in {"-exec", "-execdir", "-ok"} and at + 1 < len(call.arguments) and is_shell(call.arguments[at + 1].text):
            _run(Call(call.walk, "sh", call.written[at + 2 :], call.arguments[at + 2 :], call.scope))


_EFFECTS: Mapping[str, Callable[[Call], None]] = {
    **dict.fromkeys(("export", "readonly", "local", "declare", "typeset"), _declare),
    **dict.fromkeys(_READERS, _read),
    **dict.fromkeys(("cd", "pushd", "popd"), _move),
    **dict.fromkeys(("mkdir", "install", "git", "cp", "mv", "ln"), _make),
    **dict.fromkeys((".", "source"), _source),
    **dict.fromkeys(("[", "test"), _test),
    **dict.fromkeys(("docker", "podman", "nerdctl", "buildah"), _hand_on),
    **dict.fromkeys((*sorted(SHELLS), "su"), _run),
    "unset": _unset,
    "getopts": _getopts,
    "printf": _printf,
    "let": _let,
    "eval": _evaluate,
    "trap": _trap,
    "alias": _alias,
    "printenv": _printenv,
    "envsubst": _envsubst,
    "find": _find,
}
