"""Finds the parts of a Dockerfile that need BuildKit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dockercise_prefect.runtime.dockerfile.reader import Instruction, directives, instructions, lines_of

_COPYING: Final = frozenset({"--chmod", "--exclude", "--link", "--parents"})

_OPTIONS: Final = {
    "RUN": frozenset({"--device", "--mount", "--network", "--security"}),
    "COPY": _COPYING,
    "ADD": _COPYING | {"--checksum", "--keep-git-dir", "--unpack"},
}
"""For each instruction, the options that an engine's own builder refuses (Dockerfile reference)."""


@dataclass(frozen=True, slots=True)
class Need:
    """A part of a Dockerfile that needs BuildKit.

    Attributes:
        line: its line, counted from 1.
        what: the part as it is written, or its usual name.
    """

    line: int
    what: str


def first_need(dockerfile: bytes) -> Need | None:
    """The first part of a Dockerfile that needs BuildKit; None if an engine's own builder can build it."""
    return next(_needs(lines_of(dockerfile)), None)


def _needs(lines: Sequence[str]) -> Iterator[Need]:
    yield from (Need(number + 1, f"`# syntax={value}`") for name, value, number in directives(lines) if name == "syntax")
    for instruction in instructions(lines):
        if what := _need(instruction):
            yield Need(instruction.first + 1, what)


def _need(instruction: Instruction) -> str | None:
    for word in instruction.words:
        option = word.partition("=")[0]
        if not word.startswith("--"):
            break
        if option in _OPTIONS.get(instruction.keyword, ()):
            return f"`{instruction.keyword} {option}`"
    return "a here-document" if instruction.here_documents else None
