"""The list of repositories on a terminal: what it shows after each key, and that the terminal is left as it was."""

from __future__ import annotations

import os
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockercise_prefect.cli.repository_choice import Choice, Keys
from dockercise_prefect.hosts.github import OfferedRepository
from tests.support.pseudo_terminal import PseudoTerminal

NAMES = ["acme/infra", "acme/web", "acme/web-2", "octocat/Infra", *(f"acme/old{number}" for number in range(96))]
REPOSITORIES = tuple(OfferedRepository(name, "private", "2026-11-30") for name in NAMES)
PROGRAM = f"""
from dockercise_prefect.cli.repository_choice import chosen_on_terminal
from dockercise_prefect.hosts.github import Administered, OfferedRepository
from dockercise_prefect.signals import as_interrupt
repositories = tuple(OfferedRepository(name, "private", "2026-11-30") for name in {NAMES!r})
with as_interrupt():
    print("chosen:", chosen_on_terminal(Administered(repositories=repositories, is_complete=False)))
"""
ENTER, UP, DOWN, PAGE_DOWN, BACKSPACE, CTRL_C, CTRL_D, CTRL_U = (
    "\r",
    "\x1b[A",
    "\x1b[B",
    "\x1b[6~",
    "\x7f",
    "\x03",
    "\x04",
    "\x15",
)


def _after(*keys: str) -> Choice:
    choice = Choice(REPOSITORIES)
    for key in keys:
        choice = choice.pressed(key)
    return choice


@pytest.mark.parametrize(
    ("keys", "marked"),
    [
        ([], "acme/infra"),
        ([DOWN], "acme/web"),
        (["\x1bOB", "\x0e", UP], "acme/web"),
        ([UP], "acme/infra"),
        ([PAGE_DOWN], "acme/old6"),
        ([PAGE_DOWN] * 20, "acme/old95"),
        ([*"WEB"], "acme/web"),
        ([*"web", DOWN, DOWN], "acme/web-2"),
        ([*"infra octo"], "octocat/Infra"),
        ([*"web", CTRL_U], "acme/infra"),
        ([DOWN, *"inf", BACKSPACE], "acme/infra"),
        (["3"], "acme/web-2"),
        (["3", DOWN], "octocat/Infra"),
        ([*"100"], "acme/old95"),
        ([*"old7"], "acme/old7"),
        ([BACKSPACE], "acme/infra"),
        (["\x1b[C", "\x1b[200~", "\t", "\x00"], "acme/infra"),
    ],
)
def test_keys_move_the_mark(keys: list[str], marked: str) -> None:
    """Text narrows the list, arrows move in it, and a number marks a repository."""
    choice = _after(*keys)

    assert choice.marked is not None
    assert choice.marked.name == marked


def test_nothing_is_left() -> None:
    """If no name contains the text, nothing is marked, and the screen says so."""
    choice = _after(*"nowhere", DOWN)

    assert choice.marked is None
    assert choice.lines(80, 24)[0].strip() == "no name contains this"


def test_a_text_that_is_no_number_of_a_repository_narrows() -> None:
    """Digits that are not the number of a repository are searched in the names."""
    choice = Choice((*REPOSITORIES[:3], OfferedRepository("acme/2048", "public", ""))).pressed("2").pressed("0")

    assert [one.name for _, one in choice.shown] == ["acme/2048"]


def test_lines() -> None:
    """The screen shows the numbers, names, visibility and last pushes, how many more there are, and what is typed."""
    assert _after(*"infra").lines(100, 24) == [
        ">    1  acme/infra     private   2026-11-30",
        "     4  octocat/Infra  private   2026-11-30",
        "type to narrow, arrows or a number to move, Enter to choose: infra",
    ]
    assert _after(DOWN).lines(80, 6) == [
        "     1  acme/infra  private   2026-11-30",
        ">    2  acme/web    private   2026-11-30",
        "     3  acme/web-2  private   2026-11-30",
        "        and 97 more",
        "type to narrow, arrows or a number to move, Enter to choose: ",
    ]


@pytest.mark.parametrize(("columns", "rows"), [(20, 24), (80, 3), (1, 1)])
def test_small_terminal(columns: int, rows: int) -> None:
    """The lines fit into a terminal, and the marked row is visible as long as there is room for it."""
    lines = _after(*[DOWN] * 50).lines(columns, rows)

    assert max(map(len, lines)) < columns
    assert len(lines) <= max(rows, 3)
    assert columns == 1 or any(line.startswith(">") for line in lines)


def test_what_is_typed_is_seen_on_a_narrow_terminal() -> None:
    """If the line with the typed text is too long, its beginning is left out."""
    assert _after(*"infra").lines(20, 24)[-1] == "er to choose: infra"


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_keys_that_come_in_parts(size: int) -> None:
    """Keys are the same, however the terminal cuts them."""
    sent = f"aé{DOWN}b{PAGE_DOWN}\x1bOA\x1bx{ENTER}".encode()
    keys = Keys()

    cut = [key for start in range(0, len(sent), size) for key in keys.cut(sent[start : start + size])]

    assert cut == ["a", "é", DOWN, "b", PAGE_DOWN, "\x1bOA", "\x1b", "x", ENTER]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[PseudoTerminal]:
    """A program that lets the user choose, on a terminal of its own."""
    environment = dict(os.environ) | {"TERM": "xterm", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with PseudoTerminal([sys.executable, "-c", PROGRAM], tmp_path, environment) as terminal:
        terminal.until("not all of your repositories are listed")
        terminal.until("Enter to choose: ")
        yield terminal


def test_choosing_by_name(terminal: PseudoTerminal) -> None:
    """The user types a part of the name, sees the list become shorter, moves to the next one, and chooses it."""
    terminal.press("web")
    shown = terminal.until("Enter to choose: web")
    terminal.press(DOWN)
    terminal.until(">    3  acme/web-2")
    terminal.press(ENTER)

    terminal.until("chosen: acme/web-2")
    assert "acme/infra" not in shown.rpartition("\x1b[J")[2]
    assert terminal.end() == 0
    assert terminal.settings == terminal.before


def test_choosing_by_number(terminal: PseudoTerminal) -> None:
    """The user types the number of a repository and Enter, all at once."""
    terminal.press(f"4{ENTER}")

    terminal.until("chosen: octocat/Infra")
    assert terminal.end() == 0


def test_enter_without_a_repository(terminal: PseudoTerminal) -> None:
    """Enter does nothing as long as no repository is marked."""
    terminal.press(f"nowhere{ENTER}")
    terminal.until("no name contains this")
    terminal.press(f"{CTRL_U}2{ENTER}")

    terminal.until("chosen: acme/web")
    assert terminal.end() == 0


@pytest.mark.parametrize(("key", "raised"), [(CTRL_C, "KeyboardInterrupt"), (CTRL_D, "Abort")])
def test_leaving(terminal: PseudoTerminal, key: str, raised: str) -> None:
    """Ctrl-C and Ctrl-D end the choice, and the terminal is as it was before."""
    terminal.press(f"web{key}")

    terminal.until(raised)
    assert terminal.end() != 0
    assert terminal.settings == terminal.before
    assert "chosen: " not in terminal.seen


def test_no_suspending(terminal: PseudoTerminal) -> None:
    """Ctrl-Z is an ordinary key during the choice: a stopped program would leave the terminal without an echo."""
    characters = terminal.settings[6]

    assert isinstance(characters, list)
    assert characters[termios.VSUSP] == b"\0"


def test_terminal_that_is_closed(terminal: PseudoTerminal) -> None:
    """If the window is closed, the program ends."""
    terminal.hang_up()

    assert terminal.process.wait(120) != 0
