"""`lint`: checks a pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from dockercise_prefect.cli.findings import show_findings
from dockercise_prefect.cli.options import chosen_root, takes_offline, takes_root
from dockercise_prefect.cli.package_sources import chosen_packages, kept_packages
from dockercise_prefect.compiler import Compiled, Origin, compile_with_origin
from dockercise_prefect.errors import DefinitionError, Diagnostic, ExitStatus
from dockercise_prefect.frontend.findings import in_order


def _show_json(findings: Sequence[Diagnostic]) -> None:
    click.echo(
        (json.dumps([_as_json(finding) for finding in findings], indent=2, ensure_ascii=False) + "\n").encode(), nl=False
    )


_SHOW: Mapping[str, Callable[[Sequence[Diagnostic]], None]] = {"text": show_findings, "json": _show_json}


@click.command
@takes_root
@click.option("--format", "format_name", type=click.Choice(list(_SHOW)), default="text", show_default=True)
@click.option("--packages", "run_packages", is_flag=True, help="Run packages (meta.subgraphs) that were not read before.")
@takes_offline
def lint(root_argument: Path | None, root_option: Path | None, format_name: str, *, run_packages: bool, offline: bool) -> None:
    """Check every *.dockercise.yaml below ROOT. Without findings, nothing is printed.

    Lint rules then check a pipeline that compiles; `meta.lint` and comments switch them off.

    Text goes to standard error, JSON to standard output. Warnings do not change the exit status. No package is run: documents
    of packages come from the user's data folder, and a warning names the packages that are missing there. With --offline that
    is an error.
    """
    if run_packages and offline:
        raise click.UsageError("--packages runs packages, but --offline forbids it: use one of them")
    root = chosen_root(root_argument, root_option)
    chosen = chosen_packages(offline=offline) if run_packages or offline else nullcontext(kept_packages())
    try:
        with chosen as packages:
            findings = _warnings(*compile_with_origin(root, packages=packages))
        status = ExitStatus.DONE
    except DefinitionError as error:
        findings, status = error.diagnostics, error.exit_status
    _SHOW[format_name](findings)
    raise SystemExit(status)


def _warnings(compiled: Compiled, origin: Origin) -> Sequence[Diagnostic]:
    from dockercise_prefect.compiler.lint import lint as by_rules

    return in_order([*compiled.warnings, *by_rules(compiled.pipeline, origin)])


def _as_json(finding: Diagnostic) -> dict[str, Any]:
    place = finding.place
    return {
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "path": place.path if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "hint": finding.hint,
        "related": [
            {
                "message": related.message,
                "path": related.place.path,
                "line": related.place.line,
                "column": related.place.column,
            }
            for related in finding.related
        ],
    }
