"""Scripts as lists of commands."""

from __future__ import annotations

import pytest

from dockercise_prefect.compiler.shell.commands import Command, commands_of
from dockercise_prefect.compiler.shell.script import read


def _commands(script: str) -> tuple[Command, ...]:
    found = commands_of(read(script))
    assert found is not None
    return found


def _named(script: str, name: str) -> Command:
    (found,) = [command for command in _commands(script) if command.name == name]
    return found


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("cp a b", ["cp", "a", "b"]),
        ("A=1 B=$(date) cp a b", ["cp", "a", "b"]),
        (r"""cp 'a b' "c d" e\ f g"h"'i'""", ["cp", "a b", "c d", "e f", "ghi"]),
        (r'cp "a\"b\$c\d" \$x', ["cp", 'a"b$c\\d', "$x"]),
        ("cp $A *.txt ~/b {a,b} $(date) x", ["cp", None, None, None, None, None, "x"]),
        ("cp a \\\n  b", ["cp", "a", "b"]),
        ("cp >log a b", ["cp", "a", "b"]),
        ("export A B=1", ["export", "A", None]),
        ("[ -f a ]", ["[", "-f", "a", "]"]),
        ("$TOOL a", [None, "a"]),
    ],
)
def test_words(script: str, words: list[str | None]) -> None:
    """A word is the shell's reading of it if that is known, else None; assignments and redirections are not words."""
    command = next(command for command in _commands(script) if len(command.words) > 1)

    assert [word.text for word in command.words] == words


def test_words_know_where_they_stand() -> None:
    """Places count characters, whatever their size in UTF-8 is."""
    _, _, path = _named("echo ü; cp ä b", "cp").words

    assert path.start == "echo ü; cp ä b".index("b")


@pytest.mark.parametrize(
    "script",
    [
        "x",
        "{ x; }",
        "(x)",
        "if x; then :; fi",
        "for i in a; do x; done",
        "a && x || b",
        "! x",
        "f() { x; }",
        "a | x",
        "a |\n\n# b\n x",
        "x & a",
        "echo a > f && x",
        "cat <<E | x\na\nE",
        "x 2> f",
        "x > /dev/stdout",
        'x > "$LOG"',
        "x 1>&2 2>&1 3>&1",
        "cat >(x)",
    ],
)
def test_output_that_leaves_the_script(script: str) -> None:
    """The output of a command counts as the script's output wherever the command is."""
    assert _named(script, "x").streams.stdout


@pytest.mark.parametrize(
    "script",
    [
        "x > f",
        "x >> f",
        "x >| f",
        "x &> f",
        'x > "$OUT/f"',
        "x >&2",
        "x >&-",
        "x | a",
        "x |\n a",
        "x |& a",
        "a $(x)",
        "a `x`",
        "a <(x)",
        "{ a; x; } > f",
        "if a; then x; fi > f",
        "a && x > f",
        "a | x > f",
        "f() { x; } > f",
        "> f x",
        "x <<E > f\na\nE",
        "x <<E | a > f\na\nE",
    ],
)
def test_output_that_goes_elsewhere(script: str) -> None:
    """Output into a file, a pipe, stderr or a substitution is not the script's output."""
    assert not _named(script, "x").streams.stdout


@pytest.mark.parametrize("script", ["x 2>&1", "{ x; } 2>&1", "x 2>&1 > f", "x 3> f"])
def test_errors_that_become_output(script: str) -> None:
    """Stderr counts as output if it was made a copy of stdout, or if that cannot be followed."""
    assert _named(script, "x").streams.stderr


def test_redirections_of_a_group() -> None:
    """Redirections of a loop or a group are a command without words."""
    first, *_ = _commands("for i in a; do b; done > f")

    assert first.words == ()
    assert [redirection.target and redirection.target.text for redirection in first.redirections] == ["f"]


@pytest.mark.parametrize("script", ["if true; then", "a ) b"])
def test_what_is_not_understood(script: str) -> None:
    """A script that the grammar does not completely understand has no commands."""
    assert commands_of(read(script)) is None
