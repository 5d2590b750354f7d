"""Prints lines on standard output: in colour on a terminal, otherwise plain."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import IO, cast

from rich.console import Console
from rich.text import Text

from dockercise_prefect.cli.present.lines import Marks, marks_for
from dockercise_prefect.cli.present.stream import ForgivingStream


def marks() -> Marks:
    """The characters that standard output can show."""
    return marks_for(sys.stdout.encoding or "utf-8")


def print_lines(lines: Iterable[Text]) -> None:
    """Print the lines, unless stdout is closed."""
    stream = ForgivingStream(sys.stdout)
    console = Console(file=cast("IO[str]", stream), highlight=False, markup=False, emoji=False)
    for line in lines:
        console.print(line, soft_wrap=True)
    stream.flush()
