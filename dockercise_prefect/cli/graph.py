"""`graph`: draws the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import click

from dockercise_prefect.cli.compiling import compiled_below
from dockercise_prefect.cli.graphviz import draw, graphviz
from dockercise_prefect.cli.options import chosen_root, takes_offline, takes_root, takes_targets
from dockercise_prefect.cli.package_sources import chosen_packages
from dockercise_prefect.cli.parameter_options import given_parameters, takes_parameters
from dockercise_prefect.cli.writing import write_atomically
from dockercise_prefect.emit import FORMATS, Request
from dockercise_prefect.emit.outline import outline
from dockercise_prefect.emit.svg import svg
from dockercise_prefect.errors import UsageError, did_you_mean
from dockercise_prefect.pipeline.selection import run_of

_TEXTS: Mapping[str, Callable[[Request], str]] = {FORMATS[name].suffix: FORMATS[name].emit for name in ("dot", "mermaid")}

_PICTURES = (".svg", ".png", ".pdf")

_ENDINGS = (*_PICTURES, *_TEXTS)


@click.command
@takes_root
@takes_targets
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="Write to this file: .svg .png .pdf .dot .mmd"
)
@click.option(
    "--layout",
    type=click.Choice(["auto", "graphviz", "own"]),
    default="auto",
    show_default=True,
    help="How to lay out an .svg: with Graphviz, or without it (own); auto uses Graphviz if it is installed.",
)
@takes_parameters
@takes_offline
def graph(  # noqa: PLR0917  click gives each option as an argument
    root_argument: Path | None,
    root_option: Path | None,
    targets: tuple[str, ...],
    output: Path | None,
    layout: str,
    given: tuple[str, ...],
    *,
    offline: bool,
) -> None:
    """Draw the pipeline below ROOT: its stages, and every edge with its kind.

    Without -o, print one line for each stage. The ending of FILE chooses the format: .dot for Graphviz, .mmd for Mermaid, .svg,
    .png or .pdf for a picture. Pictures other than .svg need Graphviz.
    """
    if output is not None and output.suffix not in _ENDINGS:
        raise _unknown_ending(output)
    with chosen_packages(offline=offline) as packages:
        pipeline = run_of(compiled_below(chosen_root(root_argument, root_option), packages, given_parameters(given)), targets)
    request = Request(pipeline, targets)
    if output is None:
        click.echo(outline(request).encode(), nl=False)
    elif output.suffix in _TEXTS:
        write_atomically(output, _TEXTS[output.suffix](request))
    else:
        write_atomically(output, _picture(request, output.suffix.removeprefix("."), layout))


def _picture(request: Request, kind: str, layout: str) -> str | bytes:
    if layout == "own":
        if kind != "svg":
            raise UsageError(f"`--layout own` can only draw an .svg, not a .{kind}", "remove the option, or write an .svg")
        return svg(request)
    program = graphviz()
    if program is not None:
        return draw(program, FORMATS["dot"].emit(request), kind)
    if kind == "svg" and layout == "auto":
        return svg(request)
    hint = "install Graphviz (Debian's package is graphviz), or write an .svg with `--layout own`"
    raise UsageError(f"Graphviz is needed for a .{kind}, but it is not installed: there is no `dot` on the PATH", hint)


def _unknown_ending(output: Path) -> UsageError:
    meant = did_you_mean(output.suffix, _ENDINGS) if output.suffix else None
    hint = f"did you mean `{output.with_suffix(meant)}`?" if meant else f"the supported endings are {', '.join(_ENDINGS)}"
    return UsageError(f"{output}: the ending sets the format, and `{output.suffix}` is not supported", hint)
