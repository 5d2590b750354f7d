"""Paths in texts."""

from __future__ import annotations

import pytest

from dockercise_prefect.compiler.shell.literals import Form, Literal, Reading
from dockercise_prefect.compiler.shell.paths import mentioned

VOLUMES = {
    "/a/b": ["a"],
    "/a/": ["a"],
    "/a": ["a"],
    "x/a/b": ["x"],
    "./a/b": ["a"],
    "../a/b": ["a"],
    "/./a/b": ["a"],
    "~/a/b": ["~"],
    "\0/a/b": [],
    "--file=/a/b": ["a"],
    "-I/a/b": ["a"],
    "gcc -I/a/b -L/c/d": ["a", "c"],
    "/a/b:/c/d": ["a", "c"],
    "x=\0:/c/d": ["c"],
    "/{a,b}/c": ["a", "b", "a", "b}"],
    "a=b": [],
    "../a": ["a"],
    "@/a/b": ["a"],
    "f=@/a/b": ["f=@", "a"],
    "u@/a/b": ["u@"],
    "file:///a/b": ["a"],
    "file://a/b": [],
    "sqlite:///a/b": [],
    "sqlite:////a/b": ["a"],
    "http://a/b": [],
    "http://[::1]/b": [],
    "postgres://u:p@/a/b?host=/c": [],
    "h?next=/a/b": [],
    ":/a/b": [],
    "//a/b": ["a"],
    "/a//b": ["a"],
    "/a/\0": ["a"],
    "/a\0": [],
    "/☃/b": ["☃"],
    "/a.b-c/d": ["a.b-c"],
    "open('/a/b')": ["open('", "a"],
    "listdir('/a', 1)": ["a"],
    "GET /a HTTP": [],
    "*/a/b": ["*"],
    "": [],
    "/": [],
    "///": [],
}

OUTPUTS = {
    "/out/a": ["a"],
    "/out/a/": ["a"],
    "/out/": [],
    "/out": [],
    "x/out/a": [],
    "file:///out/a": ["a"],
    "/out/\0": [],
    "/out/a\0": [],
    "/outer/a": [],
    "//out/a": ["a"],
    "/out//a": ["a"],
    "out/a": ["a"],
    "./out/a": ["a"],
    "--from=out/a": ["a"],
    "-fout/a": ["a"],
    "file://out/a": [],
    "layout/a": [],
    "cat out/a": ["a"],
    "out/a out/b": ["a", "b"],
    "out/a,out/b": ["a", "b"],
    "x=$(cat out/a); y": ["a"],
    "see out/a.": ["a"],
}


def _found(text: str, *, is_output: bool, reading: Reading | None = None, folder: str | None = "/") -> list[str]:
    """The names in a text; if a name may end earlier, the likely one."""
    literal = Literal(text, ((0, 0),), reading or Reading(), folder)
    return [mention.names[min(1, len(mention.names) - 1)] for mention in mentioned(literal) if mention.is_output == is_output]


@pytest.mark.parametrize(("text", "expected"), VOLUMES.items())
def test_paths_into_volumes(text: str, expected: list[str]) -> None:
    """A path from `/` gives its first part; an address, another host's path or a query gives none."""
    assert _found(text, is_output=False) == expected


@pytest.mark.parametrize(("text", "expected"), OUTPUTS.items())
def test_paths_below_out(text: str, expected: list[str]) -> None:
    """A path below `/out` gives the part after it, up to the end of the word."""
    assert _found(text, is_output=True) == expected


@pytest.mark.parametrize(
    ("text", "folder", "expected"),
    [
        ("b/c", "/a", []),
        ("../b/c", "/a", ["b"]),
        ("../../b/c", "/a", ["b"]),
        ("b/c", None, []),
        ("/b/c", None, ["b"]),
    ],
)
def test_relative_paths_need_a_folder(text: str, folder: str | None, expected: list[str]) -> None:
    """A relative path counts from the working directory, and is ignored if that is not known."""
    assert _found(text, is_output=False, folder=folder) == expected


def test_a_whole_word() -> None:
    """A word without a slash is a path for commands that take files, and for all commands in `/out`."""
    assert _found("a", is_output=False) == []
    assert _found("a", is_output=False, reading=Reading(names=True)) == ["a"]
    assert _found("a", is_output=True, folder="/out") == ["a"]


def test_a_program_has_paths_in_quotes_only() -> None:
    """In a program `/a/` may be a pattern."""
    text = 'x ~ /a/ && open("/b/c")'

    assert _found(text, is_output=False, reading=Reading(Form.PROGRAM)) == ["b"]
