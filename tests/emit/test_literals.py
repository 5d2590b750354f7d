"""Texts as Python literals."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.emit.literals import one_line, text_literal

any_text = st.one_of(st.text(st.characters(codec="utf-8")), st.text("\"'\\\n\r\t x\u202e\x00"))


@given(any_text)
def test_literals_are_exact(text: str) -> None:
    """Python reads from a literal exactly the text that it was made for."""
    assert ast.literal_eval(text_literal(text)) == text
    assert ast.literal_eval(one_line(text)) == text


@given(any_text)
def test_literals_hide_nothing(text: str) -> None:
    """A literal has no invisible or direction-changing characters, no blanks at line ends, and one line if it should."""
    literal = text_literal(text)

    assert all(line.isprintable() and not line.endswith(" ") for line in literal.split("\n")[:-1])
    assert one_line(text).isprintable()


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("echo hi", '"echo hi"'),
        ("echo hi\n", r'"echo hi\n"'),
        ('say "hi"', "'say \"hi\"'"),
        ('it\'s "it"', "'it\\'s \"it\"'"),
        ("it's", '"it\'s"'),
        ("a\nb\n", '"""\\\na\nb\n"""'),
        ("a\nb", '"""\\\na\nb"""'),
        ('a\n"b"', '"""\\\na\n"b\\""""'),
        ("a \\\n  b", '"""\\\na \\\\\n  b"""'),
        ("\n\n", r'"\n\n"'),
    ],
)
def test_literals_read_well(text: str, literal: str) -> None:
    """A single line has the quotes that need fewer escapes, and several lines are written as they are."""
    assert text_literal(text) == literal
