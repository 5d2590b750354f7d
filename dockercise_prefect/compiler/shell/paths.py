"""Paths in a text that may lead into the volume or the output of a stage (LANGUAGE section 4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_NAMES = re.compile(r"[^/\s:\\\0]+")
"""A stage's name ends where a path's part ends, and holds no colon."""

_CUT = re.compile(r"[;|&()<>\[\]{}\"'`=,]")
"""Where a name ends that stands in a text of its own syntax: `sh -c 'x=$(cat out/a); …'`."""

_ABSOLUTE = re.compile(r"(?<![\w./~*%\0-])(?:(?<!:)//|///|(?<!/)/)(?=[^/])|(?<=\s-[A-Za-z])/(?=[^/])|(?<=\A-[A-Za-z])/(?=[^/])")
"""The slash that begins an absolute path: not one inside a path, nor in front of the host of an address (`http://host`)."""

_RELATIVE_OUT = re.compile(r"(?<![\w/~*%\0.-])(?:\./)*out/(?=[^/])")
"""`out/` at the beginning of a relative path."""


@dataclass(frozen=True, slots=True)
class Part:
    """The first part of an absolute path, or the part after `out/`.

    Attributes:
        names: what it may be the name of, the most probable first.
        below: whether the path goes on below it.
        start: index of the text at which the path begins.
        prefix: what stands from there to the name.
    """

    names: tuple[str, ...]
    below: bool
    start: int
    prefix: str


def absolute(text: str) -> Iterator[Part]:
    """The first parts of the absolute paths in a text."""
    for match in _ABSOLUTE.finditer(text):
        yield from _part(text, match.end() - 1, match.end())


def in_out(text: str) -> Iterator[Part]:
    """What is named below `/out`."""
    for part in absolute(text):
        if part.below and part.names[0] == "out":
            yield from _part(text, part.start, part.start + len("/out/"))


def in_relative_out(text: str) -> Iterator[Part]:
    """What is named below `out` by relative paths."""
    for match in _RELATIVE_OUT.finditer(text):
        yield from _part(text, match.start(), match.end())


def _part(text: str, start: int, begin: int) -> Iterator[Part]:
    match = _NAMES.match(text, begin)
    if match is None:
        return
    whole, prefix = match[0], text[start:begin]
    after = text[match.end() : match.end() + 1]
    if after == "/":
        yield Part((whole,), True, start, prefix)
    elif after not in {"\0", "\\"}:
        short = _CUT.split(whole, maxsplit=1)[0]
        names = dict.fromkeys(name for name in (whole, short, short.rstrip(".!?")) if name)
        yield Part(tuple(names), False, start, prefix)
