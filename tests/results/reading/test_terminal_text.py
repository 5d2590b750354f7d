"""Output of stages, made safe for a terminal."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.results.reading.terminal_text import coloured_line, plain_line


@pytest.mark.parametrize(
    ("line", "without", "with_colours"),
    [
        ("plain text", "plain text", "plain text"),
        ("a\tb", "a\tb", "a\tb"),
        ("\x1b[1;31mred\x1b[0m", "red", "\x1b[1;31mred\x1b[0m\x1b[0m"),
        ("\x1b[2J\x1b[Hcleared", "cleared", "cleared"),
        ("10%\r50%\r100%\r", "100%", "100%"),
        ("\x1b]0;title\x07text", "text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link", "link"),
        ("\x1b]52;c;never ended", "", ""),
        ("\x1bPdevice\x1b\\text", "text", "text"),
        ("\x1b(0lines\x1b(B", "lines", "lines"),
        ("bell\x07 back\x08space \x9b2Jc1", "bell backspace c1", "bell backspace c1"),
        ("\x1b[", "", ""),
        ("", "", ""),
    ],
)
def test_output_cannot_break_the_terminal(line: str, without: str, with_colours: str) -> None:
    """Only colours pass, only on a terminal, and they end with their line; all other control sequences are removed."""
    assert (plain_line(line), coloured_line(line)) == (without, with_colours)


@given(st.text(alphabet=st.sampled_from("\x1b\x9b\x9d\x07\\[]PO0;1mKJ\r\tx☃\x00\x7f")))
def test_no_control_character_is_left(line: str) -> None:
    """Whatever a stage prints, no control character except the tab and those of colours reaches the terminal."""
    left = re.sub(r"\x1b\[[0-9;:]*m", "", coloured_line(line))

    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", plain_line(line) + left)
