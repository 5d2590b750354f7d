"""Finds paths in a text that may lead into the volume or the output of a stage (LANGUAGE section 4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dockercise_prefect.compiler.shell.literals import HOLE, Form, Literal

_BOUNDARY = r"\s=,;|&(<>\"'`@:!{\["
_BEGIN = re.compile(rf"(?:\A|(?<=[{_BOUNDARY}])|(?<=\A-[A-Za-z])|(?<=\s-[A-Za-z]))(?=[^{_BOUNDARY}\0-])")
"""Where a path may begin: at the beginning of a word, after a sign between words, or directly after an option's letter."""

_STEP = re.compile(r"/+|\.(?=/)|\.\.(?=/|\Z)")
_NAMES = re.compile(r"[^/\s:\\\0]+")
"""A stage's name in a path. It ends where the part of the path ends, and contains no colon."""

_CUT = re.compile(r"[;|&()<>\[\]{}\"'`=,*?]")
"""Where a name ends in a text that has its own syntax: `sh -c 'x=$(cat out/a); …'`."""

_BRACES = re.compile(r"\{([^{}/\s\0]*,[^{}/\s\0]*)\}")
_SPACE = re.compile(r"\s")
_TOKEN = re.compile(r"[^\s\"'`]*\Z")
_SEGMENT = re.compile(r"[^\s=,;\"'`@(:]*:\Z")
_ADDRESS = re.compile(r"(?<!file)(?<!fileb)://|\?|\A:")
_LONGEST_BEFORE = 200
"""The number of characters before a path that are checked."""

_ABSOLUTE_IN_ADDRESS = 4
"""The number of slashes after the scheme of an address that names a file by its absolute path: `sqlite:////data/x`."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A path that leads into a volume, or to an output.

    Attributes:
        names: names of the stages that it may belong to, the most probable first.
        is_output: whether it is below `/out`.
        start: index in the text at which it begins.
        prefix: the text from there to the name.
        bare: whether nothing follows the name.
    """

    names: tuple[str, ...]
    is_output: bool
    start: int
    prefix: str
    bare: bool


def mentioned(literal: Literal) -> Iterator[Mention]:
    """The paths in a text that may lead to a stage, from left to right."""
    text = literal.text
    folder = None if literal.folder is None else [part for part in literal.folder.split("/") if part]
    if "/" not in text:
        yield from _whole(literal, folder)
        return
    spaced = literal.reading.form is not Form.ASIDE and _SPACE.search(text) is not None
    for match in _BEGIN.finditer(text):
        start = match.start()
        quoted = start > 0 and text[start - 1] in "\"'`"
        if literal.reading.form is Form.PROGRAM and not quoted:
            continue
        if text[start] == "/":
            if _is_here(literal, start):
                yield from _from(text, start, [], certain=quoted or not spaced)
        elif folder is not None and literal.reading.relative and _is_relative(literal, start):
            found = _from(text, start, folder, certain=quoted or not spaced)
            yield from (each for each in found if _is_path(each) and (each.is_output or quoted or not spaced))


def _is_path(mention: Mention) -> bool:
    """Whether a relative path looks like one: it has a slash."""
    return not mention.bare or bool(mention.prefix)


def _whole(literal: Literal, folder: list[str] | None) -> Iterator[Mention]:
    """A word without a slash: a name in `/out`, or in `/` for a command that uses it as a file."""
    if folder == ["out"] or (folder == [] and literal.reading.names):
        name = literal.text.removeprefix("./")
        if name and HOLE not in name:
            yield Mention((name,), bool(folder), 0, literal.text.removesuffix(name), bare=True)


def _from(text: str, start: int, folder: list[str], *, certain: bool) -> Iterator[Mention]:
    """What the path that begins at `start` leads to. It is relative to `folder`."""
    at, base = _stepped(text, start, folder)
    if base == ["out"]:
        yield from _names(text, start, at, is_output=True, certain=True)
        return
    if base:
        return
    for name in _names(text, start, at, is_output=False, certain=certain):
        if name.names[0] == "out" and not name.bare:
            below, _ = _stepped(text, at + len("out"), [])
            yield from _names(text, start, below, is_output=True, certain=True)
        else:
            yield name


def _stepped(text: str, at: int, folder: list[str]) -> tuple[int, list[str]]:
    """The index after `/`, `./` and `../`, and the folder that they lead to."""
    base = list(folder)
    while match := _STEP.match(text, at):
        if match[0] == "..":
            base = base[:-1]
        at = match.end()
    return at, base


def _names(text: str, start: int, at: int, *, is_output: bool, certain: bool) -> Iterator[Mention]:
    prefix = text[start:at]
    braces = _BRACES.match(text, at)
    if braces:
        bare = text[braces.end() : braces.end() + 1] != "/"
        yield from (Mention((name,), is_output, start, prefix, bare) for name in braces[1].split(","))
        return
    match = _NAMES.match(text, at)
    if match is None:
        return
    after = text[match.end() : match.end() + 1]
    short = _CUT.split(match[0], maxsplit=1)[0]
    if after == "/":
        first = match[0].partition(",")[0]  # `out/a,out/b`
        names = tuple(dict.fromkeys(name for name in (match[0], first) if name))
        yield Mention(names, is_output, start, prefix, bare=False)
    elif after not in {HOLE, "\\"}:
        names = tuple(dict.fromkeys(name for name in (match[0], short, short.rstrip(".!?")) if name))
        if names and (certain or is_output):
            yield Mention(names, is_output, start, prefix, bare=True)


def _is_here(literal: Literal, start: int) -> bool:
    """Whether the slash begins a path of this machine, and not a part of an address, a path on another host or a query."""
    text = literal.text
    before = text[max(0, start - _LONGEST_BEFORE) : start]
    token = _TOKEN.search(before)
    if before[-1:] == ":":
        return _behind_colon(literal, start, before)
    if token and _ADDRESS.search(token[0]):
        return False
    return before[-1:] != "@" or before[-2:-1] in {"", "=", " ", '"', "'"}


def _behind_colon(literal: Literal, start: int, before: str) -> bool:
    text = literal.text
    match = _SEGMENT.search(before)
    name = match[0][:-1] if match else ""
    slashes = len(text[start : start + _ABSOLUTE_IN_ADDRESS]) - len(text[start : start + _ABSOLUTE_IN_ADDRESS].lstrip("/"))
    if slashes > 1 or name in {"file", "fileb"}:
        wanted = {1, 3} if name in {"file", "fileb"} else {_ABSOLUTE_IN_ADDRESS}
        return slashes in wanted
    if not name or literal.reading.remote:
        return False
    token = _TOKEN.search(before)
    return not (token and _ADDRESS.search(token[0]))


def _is_relative(literal: Literal, start: int) -> bool:
    before = literal.text[max(0, start - _LONGEST_BEFORE) : start]
    if before[-1:] == ":":
        return False
    token = _TOKEN.search(before)
    if token and _ADDRESS.search(token[0] + literal.text[start : start + 12].split("/")[0]):
        return False
    return before[-1:] != "@" or before[-2:-1] in {"", "=", " ", '"', "'"}
