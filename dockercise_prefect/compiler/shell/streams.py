"""Finds where the output of a command goes, by following redirections as the shell does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from dockercise_prefect.compiler.shell.words import Known

STDOUT, STDERR = 1, 2

_WRITING = frozenset({">", ">>", ">|", "&>", "&>>", "<>"})

_DEVICE = re.compile(r"/dev/(?:stdout|stderr|tty|fd/.*)\Z|/proc/.*\Z")


@dataclass(frozen=True, slots=True)
class Redirection:
    """One redirection.

    Attributes:
        operator: `>`, `>>`, `<`, `>&` and so on.
        descriptor: the number before it, or None.
        target: the file or the descriptor after it; None in `>&-`.
    """

    operator: str
    descriptor: int | None
    target: Known | None

    @property
    def writes(self) -> bool:
        """Whether the redirection opens a file for writing."""
        named = self.target is not None and self.target.text is not None and self.target.text.isdecimal()
        return self.operator in _WRITING or (self.operator == ">&" and not named)


@dataclass(frozen=True, slots=True)
class Streams:
    """Whether the two outputs of a command may end up on the script's own stdout."""

    stdout: bool = True
    stderr: bool = False

    def piped(self) -> Streams:
        """The streams of a command whose output another command reads."""
        return replace(self, stdout=False)

    def after(self, redirections: Iterable[Redirection]) -> Streams:
        """The streams after redirections, from left to right. A redirection that cannot be followed counts as one to stdout."""
        streams = {STDOUT: self.stdout, STDERR: self.stderr}
        for redirection in redirections:
            if redirection.operator.startswith("<") and redirection.operator != "<>":
                continue
            reaches = _reaches(redirection, streams)
            if redirection.operator.startswith("&>"):
                streams = {STDOUT: reaches, STDERR: reaches}
            elif redirection.descriptor in {None, STDOUT, STDERR}:
                streams[redirection.descriptor or STDOUT] = reaches
            else:
                return Streams(stdout=True, stderr=True)
        return Streams(streams[STDOUT], streams[STDERR])


def _reaches(redirection: Redirection, streams: dict[int, bool]) -> bool:
    """Whether a stream with this redirection goes to the script's stdout."""
    if redirection.target is None:
        return False
    text = redirection.target.text
    if redirection.writes:
        return redirection.target.is_variable or (text is not None and _DEVICE.match(text) is not None)
    return streams.get(int(text), True) if text is not None and text.isdecimal() else True
