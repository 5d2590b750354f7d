"""Paths in words."""

from __future__ import annotations

import pytest

from dockercise_prefect.compiler.shell.paths import absolute, in_out, in_relative_out

BELOW = {
    "/a/b": ["a"],
    "/a/": ["a"],
    "/a": [],
    "x/a/b": [],
    "./a/b": [],
    "../a/b": [],
    "~/a/b": [],
    "$\0/a/b": [],
    "\0/a/b": [],
    "--file=/a/b": ["a"],
    "-I/a/b": ["a"],
    "gcc -I/a/b -L/c/d": ["a", "c"],
    "x-I/a/b": [],
    "/a/b:/c/d": ["a", "c"],
    "cat /a/b;ls /c/d": ["a", "c"],
    "file:///a/b": ["a"],
    "file://a/b": [],
    "http://a/b": [],
    "//a/b": ["a"],
    "/a//b": ["a"],
    "/a/\0": ["a"],
    "/☃/b": ["☃"],
    "/a.b-c/d": ["a.b-c"],
    "open('/a/b')": ["a"],
    "/a/b /a/c": ["a", "a"],
    "*/a/b": [],
    "": [],
    "/": [],
    "///": [],
}

OUT = {
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
    "/out//a": [],
}

RELATIVE = {
    "out/a": ["a"],
    "./out/a": ["a"],
    "--from=out/a": ["a"],
    "file://out/a": [],
    "/out/a": [],
    "x/out/a": [],
    "../out/a": [],
    "layout/a": [],
    "cat out/a": ["a"],
    "out/a out/b": ["a", "b"],
}


@pytest.mark.parametrize(("text", "expected"), BELOW.items())
def test_absolute_paths(text: str, expected: list[str]) -> None:
    """An absolute path that goes on gives its first part; what is relative, an address or unknown gives none."""
    assert [part.names[0] for part in absolute(text) if part.below] == expected


@pytest.mark.parametrize(("text", "expected"), OUT.items())
def test_paths_below_out(text: str, expected: list[str]) -> None:
    """A path below `/out` gives the part after it."""
    assert [part.names[0] for part in in_out(text)] == expected


@pytest.mark.parametrize(("text", "expected"), RELATIVE.items())
def test_relative_paths_below_out(text: str, expected: list[str]) -> None:
    """So does a relative path that begins with `out`."""
    assert [part.names[0] for part in in_relative_out(text)] == expected


@pytest.mark.parametrize(
    ("text", "name"),
    [("x=$(cat out/a); y", "a"), ("see out/a.", "a"), ("out/a,out/b", "a"), ("open('out/it's')", "it's"), ("out/a?", "a")],
)
def test_names_in_other_syntax(text: str, name: str) -> None:
    """In a text of another syntax the name is looked for up to what ends a word there, the longest one first."""
    part = next(iter(in_relative_out(text)))

    assert name in part.names or part.names[0].startswith(name)
    assert len(part.names[0]) >= len(part.names[-1])
