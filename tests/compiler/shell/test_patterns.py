"""Words that are patterns or programs, and therefore not paths."""

from __future__ import annotations

import pytest

from dockercise_prefect.compiler.shell.literals import Form
from dockercise_prefect.compiler.shell.mentions import mentions

PATHS = {
    "sed '/a/d' /b/c": ["/b/c"],
    "sed /a/d /b/c": ["/b/c"],
    "sed -n -e '/a/p' '/b/c d'": ["/b/c d"],
    "sed -ne '/a/p' /b/c": ["/b/c"],
    "sed --expression='/a/d' \"/b/c\"": ["/b/c"],
    "sed --expression '/a/d' \"/b/c\"": ["/b/c"],
    "sed -f '/a/s.sed' /b/c": ["/a/s.sed", "/b/c"],
    "sed -i '' '/a/d' /b/c": ["/b/c"],
    "sed -i.bak '/a/d' /b/c": ["/b/c"],
    "sed -l 5 '/a/d' /b/c": ["/b/c"],
    "sed -- '/a/d' /b/c": ["/b/c"],
    "grep -m 1 '/a/' /b/c": ["/b/c"],
    "grep -A2 '/a/' /b/c": ["/b/c"],
    "grep --include '*.x' -r '/a/' /b/c": ["/b/c"],
    "grep --regexp='/a/' /b/c": ["/b/c"],
    "grep -f '/a/list' /b/c": ["/a/list", "/b/c"],
    "grep -e '/a/' -e '/d/' /b/c": ["/b/c"],
    "awk -v x=1 '/a/ {print}' /b/c": ["/b/c"],
    "awk -F ':' '/a/{print}' '/b/c'": ["/b/c"],
    "awk -F: '/a/{print}' /b/c": ["/b/c"],
    'awk -f "/a/x.awk" /b/c': ["/a/x.awk", "/b/c"],
    "gawk --assign=x=1 '/a/' /b/c": ["/b/c"],
    "perl '/a/x.pl' /b/c": ["/a/x.pl", "/b/c"],
    "perl -ne 'print if /a/' /b/c": ["/b/c"],
    "perl -Mstrict -E '/a/b' /b/c": ["/b/c"],
    "/usr/bin/sed '/a/d' /b/c": ["/usr/bin/sed", "/b/c"],
    "find /b/c -exec sed -i '/a/d' {} +": ["/b/c"],
    "ls | xargs -n 1 sed -i '/a/d'": [],
    "sudo env X=1 grep '/a/' /b/c": ["/b/c"],
    "sed -e": [],
    "sed -n": [],
    "grep": [],
    "cat '/a/d' /b/c": ["/a/d", "/b/c"],
}


@pytest.mark.parametrize(("script", "expected"), PATHS.items())
def test_patterns_are_no_paths(script: str, expected: list[str]) -> None:
    """A pattern or program of a command is left out, and every file that the command names is included."""
    found = mentions(script).literals

    assert [literal.text for literal in found if literal.reading.form is not Form.PROGRAM and "/" in literal.text] == expected
