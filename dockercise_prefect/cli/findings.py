"""How findings are shown: on stderr, each with its place and hint, and a line that counts them."""

from __future__ import annotations

from collections.abc import Sequence

import click

from dockercise_prefect.errors import Diagnostic


def show_findings(findings: Sequence[Diagnostic], *outcome: str) -> None:
    """Print findings and `2 findings in 2 files`, followed by what comes of them; nothing when there are none."""
    for finding in findings:
        click.echo(finding, err=True)
    if findings:
        click.echo(", ".join([counted(findings), *outcome]), err=True)


def counted(findings: Sequence[Diagnostic]) -> str:
    """`2 findings in 2 files`; findings about no file are not counted as one."""
    files = {finding.place.path for finding in findings if finding.place}
    number = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
    return number + (f" in {len(files)} file{'s' if len(files) > 1 else ''}" if files else "")
