"""Shows findings on stderr, each with its place and hint, and a line that counts them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import click

from dockercise_prefect.errors import Diagnostic

MAX_OF_FILE = 50
"""How many findings about one file are shown. Users with more findings fix the first ones first."""

MAX_SHOWN = 200
"""How many findings are shown in total. A root with many unrelated files can have tens of thousands."""

_ALL = "`dockercise lint --format json` prints them all"


def show_findings(findings: Sequence[Diagnostic], *outcome: str) -> None:
    """Print findings and `2 findings in 2 files`, followed by the outcome. Print nothing if there are no findings."""
    for line in finding_lines(findings, *outcome):
        click.echo(line, err=True)


def finding_lines(findings: Sequence[Diagnostic], *outcome: str) -> Iterator[str]:
    """The lines that `show_findings` prints.

    They contain at most `MAX_OF_FILE` findings of one file and `MAX_SHOWN` in total, and say how many more there are.
    """
    shown = told = 0
    for path, some in groupby(findings, key=lambda finding: finding.place.path if finding.place else None):
        of_file = list(some)
        taken = of_file[: min(MAX_OF_FILE, MAX_SHOWN - shown)]
        if not taken:
            break
        shown += len(taken)
        told += len(of_file)
        yield from map(str, taken)
        if len(of_file) > len(taken):
            yield f"{path}: {len(of_file) - len(taken):,} more findings; {_ALL}"
    if told < len(findings):
        rest = findings[told:]
        yield f"{counted(rest).replace(' finding', ' more finding')}; {_ALL}"
    if findings:
        yield ", ".join([counted(findings), *outcome])


def counted(findings: Sequence[Diagnostic]) -> str:
    """`2 findings in 2 files`. Findings without a file do not count as a file."""
    files = {finding.place.path for finding in findings if finding.place}
    number = "1 finding" if len(findings) == 1 else f"{len(findings):,} findings"
    return number + (f" in {len(files):,} file{'s' if len(files) > 1 else ''}" if files else "")
