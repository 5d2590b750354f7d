"""How findings are shown: on stderr, each with its place and hint, and a line that counts them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import click

from dockercise_prefect.errors import Diagnostic

MAX_SHOWN = 50
"""Findings about one file that are shown: who has more of them begins with the first."""


def show_findings(findings: Sequence[Diagnostic], *outcome: str) -> None:
    """Print findings and `2 findings in 2 files`, followed by what comes of them; nothing when there are none.

    Of one file the first `MAX_SHOWN` are shown, and how many more there are.
    """
    for path, some in groupby(findings, key=lambda finding: finding.place.path if finding.place else None):
        of_file = list(some)
        for finding in of_file[:MAX_SHOWN]:
            click.echo(finding, err=True)
        if len(of_file) > MAX_SHOWN:
            more = f"{len(of_file) - MAX_SHOWN:,} more findings"
            click.echo(f"{path}: {more}; `dockercise lint --format json` prints them all", err=True)
    if findings:
        click.echo(", ".join([counted(findings), *outcome]), err=True)


def counted(findings: Sequence[Diagnostic]) -> str:
    """`2 findings in 2 files`; findings about no file are not counted as one."""
    files = {finding.place.path for finding in findings if finding.place}
    number = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
    return number + (f" in {len(files)} file{'s' if len(files) > 1 else ''}" if files else "")
