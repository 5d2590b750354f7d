"""Lets the user choose a repository on the terminal, from a list that becomes shorter with each letter typed.

The list is drawn on stderr, so that stdout stays free for the output of the command.
"""

from __future__ import annotations

import codecs
import os
import re
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TextIO

import click

from dockercise_prefect.errors import HostRefusedError, UsageError

if TYPE_CHECKING:
    from dockercise_prefect.hosts.github import Administered, OfferedRepository

MOST_ROWS = 10
"""How many repositories are on the screen at once."""

_PROMPT = "type to narrow, arrows or a number to move, Enter to choose: "
_LONGEST_TEXT = 100
_ENTER, _END_OF_FILE = "\r\n", "\x04"
_MOVES = {
    "\x1b[A": -1,
    "\x1bOA": -1,
    "\x10": -1,
    "\x1b[B": 1,
    "\x1bOB": 1,
    "\x0e": 1,
    "\x1b[5~": -MOST_ROWS,
    "\x1b[6~": MOST_ROWS,
}
"""Arrows in both modes of a terminal, Ctrl-P and Ctrl-N, Page Up and Page Down."""

_KEY = re.compile(r"\x1b\[[0-9;]*[@-~]|\x1bO[A-Z]|.", re.DOTALL)
_PART_OF_KEY = re.compile(r"\x1b(?:\[[0-9;]*|O)?\Z")


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user sees: the list, what is typed, and the marked row.

    Attributes:
        repositories: all of them. The number of a repository is its place here, from 1.
        typed: what the user has typed. The number of a repository marks it; any other text narrows the list to the names that
            contain each of its words.
        row: which of the repositories in `shown` is marked.
    """

    repositories: tuple[OfferedRepository, ...]
    typed: str = ""
    row: int = 0

    @property
    def shown(self) -> tuple[tuple[int, OfferedRepository], ...]:
        """The repositories that are left, with their numbers."""
        words = [] if self._number else self.typed.lower().split()
        numbered = enumerate(self.repositories, 1)
        return tuple((number, one) for number, one in numbered if all(word in one.name.lower() for word in words))

    @property
    def marked(self) -> OfferedRepository | None:
        """The marked repository; None if none is left."""
        shown = self.shown
        return shown[self.row][1] if shown else None

    def pressed(self, key: str) -> Choice:
        """What the user sees after a key. A key without a meaning changes nothing."""
        if key in _MOVES:
            return replace(self, row=max(0, min(self.row + _MOVES[key], len(self.shown) - 1)))
        if key in {"\x7f", "\x08"}:  # Backspace, on different terminals
            return self._after(self.typed[:-1])
        if key == "\x15":  # Ctrl-U clears a line
            return self._after("")
        return self._after((self.typed + key)[:_LONGEST_TEXT]) if key.isprintable() else self

    def lines(self, columns: int, rows: int) -> list[str]:
        """The lines on a terminal of this size. The cursor stands at the end of the last one."""
        shown, height = self.shown, max(1, min(MOST_ROWS, rows - 3))
        start = max(0, min(self.row - height // 2, len(shown) - height))
        visible = shown[start : start + height]
        widest = max((len(one.name) for _, one in visible), default=0)
        lines = [
            f"{'>' if at == self.row else ' '} {number:>4}  {one.name:<{widest}}  {one.visibility:<8}  {one.pushed}".rstrip()
            for at, (number, one) in enumerate(visible, start)
        ]
        more = len(shown) - len(visible)
        lines += [f"        and {more:,} more"] if more else [] if shown else ["        no name contains this"]
        prompt = _PROMPT + self.typed
        # The user must see what was typed last, also on a narrow terminal.
        return [*(line[: columns - 1] for line in lines), prompt[max(0, len(prompt) - columns + 1) :]]

    @property
    def _number(self) -> int | None:
        number = int(self.typed) if re.fullmatch(r"[0-9]{1,4}", self.typed) else 0
        return number if 1 <= number <= len(self.repositories) else None

    def _after(self, typed: str) -> Choice:
        changed = replace(self, typed=typed)
        return replace(changed, row=(changed._number or 1) - 1)  # noqa: SLF001  its own class


class Keys:
    """Cuts what a terminal sends into keys. A part of a key is kept until the rest comes."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._left = ""

    def cut(self, chunk: bytes) -> list[str]:
        """The keys that are complete: characters, and escape sequences such as `ESC [ A`."""
        text = self._left + self._decoder.decode(chunk)
        part = _PART_OF_KEY.search(text)
        self._left = part[0] if part else ""
        return _KEY.findall(text.removesuffix(self._left))


def can_choose() -> bool:
    """Whether somebody can choose: input and errors are a terminal that can move its cursor."""
    movable = os.environ.get("TERM", "").lower() not in {"", "dumb", "unknown"}
    return movable and _is_terminal(sys.stdin) and _is_terminal(sys.stderr)


def refuse_without_terminal(command: str) -> None:
    """Refuse to go on if nobody can choose.

    Args:
        command: what to type instead.

    Raises:
        UsageError: nobody can choose.
    """
    if not can_choose():
        raise UsageError("no repository is named, and you can choose one only on a terminal", f"type `{command}`")


def chosen_on_terminal(offered: Administered) -> str:
    """Let the user choose a repository on the terminal. Returns its name, `owner/name`.

    Args:
        offered: what the user can choose from.

    Raises:
        HostRefusedError: there is nothing to choose.
        KeyboardInterrupt: the user pressed Ctrl-C.
        click.Abort: the user pressed Ctrl-D, or the terminal was closed.
    """
    if not offered.repositories:
        hint = "does the token include the repository, and do you administer it?"
        raise HostRefusedError("there is no repository to choose: this token sees none that you administer", hint)
    if not offered.is_complete:
        click.echo("not all of your repositories are listed; name another one as OWNER/REPO", err=True)
    screen, keys, choice = _Screen(sys.stderr), Keys(), Choice(offered.repositories)
    with _keys_at_once(sys.stdin.fileno()) as descriptor:
        try:
            while True:
                screen.draw(choice)
                for key in keys.cut(_read(descriptor)):
                    if key == _END_OF_FILE:
                        raise click.Abort
                    if key in _ENTER and choice.marked is not None:
                        return choice.marked.name
                    choice = choice.pressed(key)
        finally:
            screen.clear()


class _Screen:
    """The lines below the cursor, drawn again and again."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drawn = 0

    def draw(self, choice: Choice) -> None:
        size = os.get_terminal_size(self._stream.fileno())
        lines = choice.lines(size.columns or 80, size.lines or 24)
        self._write(self._back() + "\n".join(lines))
        self._drawn = len(lines)

    def clear(self) -> None:
        self._write(self._back())
        self._drawn = 0

    def _back(self) -> str:
        """Move to the first line, and erase everything from there."""
        up = f"\x1b[{self._drawn - 1}A" if self._drawn > 1 else ""
        return f"\r{up}\x1b[J"

    def _write(self, text: str) -> None:
        with suppress(OSError):  # the terminal was closed
            self._stream.write(text)
            self._stream.flush()


@contextmanager
def _keys_at_once(descriptor: int) -> Iterator[int]:
    """Inside, keys come one by one and are not shown, and Ctrl-Z does nothing. Ctrl-C is still a signal."""
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        changed = termios.tcgetattr(descriptor)
        changed[6][termios.VSUSP] = b"\0"
        termios.tcsetattr(descriptor, termios.TCSADRAIN, changed)
        yield descriptor
    finally:
        with suppress(termios.error):  # the terminal was closed
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _read(descriptor: int) -> bytes:
    try:
        chunk = os.read(descriptor, 1024)
    except OSError:
        chunk = b""
    if not chunk:  # the terminal was closed
        raise click.Abort
    return chunk


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()
