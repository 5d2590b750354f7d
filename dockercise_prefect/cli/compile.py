"""`compile`: writes the pipeline as a Prefect flow file, as JSON or as a listing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click

from dockercise_prefect.cli.findings import show_findings
from dockercise_prefect.cli.options import chosen_root, takes_offline, takes_root, takes_targets
from dockercise_prefect.cli.package_sources import chosen_packages
from dockercise_prefect.cli.parameter_options import given_parameters, takes_parameters
from dockercise_prefect.cli.writing import write_atomically
from dockercise_prefect.compiler import compile_folder
from dockercise_prefect.emit import FORMATS, Format, Request, module_name
from dockercise_prefect.errors import DefinitionError, DockerciseError, UsageError
from dockercise_prefect.pipeline import Pipeline, digest_of
from dockercise_prefect.pipeline.selection import run_of


class OutOfDateError(DockerciseError):
    """The file that `--check` compared differs from the compiled pipeline."""


@click.command("compile")
@takes_root
@takes_targets
@click.option("--format", "format_name", type=click.Choice(list(FORMATS)), default="python", show_default=True)
@click.option(
    "-o", "--output", metavar="FILE_OR_DIR", type=click.Path(path_type=Path), help="Write there instead of to standard output."
)
@takes_parameters
@takes_offline
@click.option("--check", is_flag=True, help="Write nothing; fail with a diff when the output is not up to date.")
def compile_command(  # noqa: PLR0917  click gives each option as an argument
    root_argument: Path | None,
    root_option: Path | None,
    targets: tuple[str, ...],
    format_name: str,
    output: Path | None,
    given: tuple[str, ...],
    *,
    offline: bool,
    check: bool,
) -> None:
    """Compile every *.dockercise.yaml below ROOT into a Prefect flow file.

    With a folder, -o writes a file named after the pipeline.
    """
    if check and output is None:
        raise click.UsageError("--check compares with a file: name it with -o")
    root = chosen_root(root_argument, root_option)
    pipeline = _narrowed(_compiled(root, given_parameters(given), offline=offline), targets)
    chosen = FORMATS[format_name]
    if output is None:
        click.echo(chosen.emit(Request(pipeline, targets)).encode(), nl=False)
        return
    path = _file(output, pipeline.name, chosen)
    text = chosen.emit(Request(pipeline, targets, _way(path.parent, root)))
    if check:
        _compare(path, text)
    else:
        write_atomically(path, text)


def _compiled(root: Path, given: Mapping[str, str], *, offline: bool) -> Pipeline:
    try:
        with chosen_packages(offline=offline) as packages:
            compiled = compile_folder(root, packages=packages, parameters=given)
    except DefinitionError as error:
        show_findings(error.diagnostics, "nothing written")
        raise SystemExit(error.exit_status) from None
    show_findings(compiled.warnings)
    return compiled.pipeline


def _narrowed(pipeline: Pipeline, targets: tuple[str, ...]) -> Pipeline:
    chosen = run_of(pipeline, targets)
    return replace(chosen, digest=digest_of(chosen)) if targets else pipeline


def _file(output: Path, name: str, chosen: Format) -> Path:
    """The file to write. A path with the format's file ending is a file, any other path is a folder."""
    is_file = output.suffix == chosen.suffix and not output.is_dir()
    return output if is_file else output / f"{module_name(name)}{chosen.suffix}"


def _way(folder: Path, root: Path) -> str:
    """The root, relative to the folder of the written file, so that a module contains no path of this machine."""
    return Path(os.path.relpath(root.resolve(), folder.resolve())).as_posix()


def _compare(path: Path, text: str) -> None:
    try:
        present = path.read_bytes().decode("utf-8", "backslashreplace")
    except FileNotFoundError:
        present = ""
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if present == text:
        return
    from difflib import unified_diff

    diff = unified_diff(present.splitlines(keepends=True), text.splitlines(keepends=True), f"{path}", f"{path} (compiled)")
    for line in diff:
        click.echo((line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n").encode(), nl=False)
    raise OutOfDateError(f"{path} is not up to date", "run the same command without --check")
