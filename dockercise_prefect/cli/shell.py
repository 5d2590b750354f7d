"""`shell`: opens a shell in a stage of a recorded run, or in a stage as it would run now."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dockercise_prefect.cli.completion import complete_runs, complete_stages
from dockercise_prefect.cli.env_options import file_variables, given_variables, takes_variables
from dockercise_prefect.cli.findings import finding_lines
from dockercise_prefect.cli.package_sources import chosen_packages
from dockercise_prefect.cli.parameter_options import given_parameters, takes_parameters
from dockercise_prefect.cli.record_options import found_run, takes_records
from dockercise_prefect.errors import UsageError, did_you_mean
from dockercise_prefect.results.opening import open_objects
from dockercise_prefect.results.reading.records import LAST, RUN_ID, Records
from dockercise_prefect.settings import Settings, read_settings

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from dockercise_prefect.pipeline import Pipeline
    from dockercise_prefect.results.reading.run_view import RunView


def _complete_first(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [*complete_runs(context, parameter, incomplete), *complete_stages(context, parameter, incomplete)]


@click.command
@click.argument("run", metavar="[RUN]", shell_complete=_complete_first)
@click.argument("stage", metavar="STAGE", required=False, shell_complete=complete_stages)
@takes_variables
@takes_parameters
@takes_records
def shell(  # noqa: PLR0917  click gives each option as an argument
    records: Records,
    run: str,
    stage: str | None,
    options: tuple[str, ...],
    files: tuple[Path, ...],
    given: tuple[str, ...],
) -> None:
    """Open a shell in STAGE of RUN, in the container that the stage had: its image, variables, volumes, /out and network.

    RUN is a run id, the beginning of one, or `last`: the last run of the pipeline in this folder, or of any pipeline if this
    folder has none. What earlier stages left comes from the record; code comes from DIR, or from the current folder. The
    stage's script is the file $DOCKERCISE_SCRIPT. Nothing stays on the engine afterwards.
    Without RUN, it is STAGE of the pipeline in this folder as it would run now, with what earlier stages left in earlier runs.
    Exit status: that of the shell; without a shell, 1 its image could not be built, 2 wrong usage, or something is not in the
    record, 3 engine, Prefect or storage failed.
    """
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")  # Prefect reads this when it is imported
    from dockercise_prefect.cli.terminal import StandardStreams
    from dockercise_prefect.orchestration.run.options import RunOptions
    from dockercise_prefect.orchestration.shell.opening import Visit, open_shell, open_shell_now

    chosen = click.get_current_context().params
    settings = read_settings(results=chosen["results"])
    root = chosen["root"] or settings.root or Path()
    if stage is None:
        view = _as_now(run, root, settings, chosen["pipeline"], given_parameters(given))
    elif given:
        raise UsageError("--param is only for a stage as it would run now", "remove it: a recorded run has its values")
    else:
        view = found_run(records, run)
    how = RunOptions(settings=settings, flags=given_variables(options), file_variables=file_variables(files))
    opened: Callable[[Visit], int] = open_shell if stage is not None else open_shell_now
    with closing(StandardStreams()) as streams:
        visit = Visit(
            view=view,
            stage=run if stage is None else stage,
            options=how,
            root=root,
            dialogue=streams,
            notify=_note,
            sink=lambda _channel, chunk: streams.write("stderr", chunk),
        )
        status = opened(visit)
    raise SystemExit(status)


def _as_now(stage: str, root: Path, settings: Settings, pipeline_name: str | None, given: Mapping[str, str]) -> RunView:
    """What a stage would find if it ran now, as far as earlier runs have it."""
    from dockercise_prefect.orchestration.shell.earlier import as_now

    if pipeline_name is not None:
        raise UsageError("--pipeline chooses a run, and there is no RUN before the stage", "use -C DIR to choose the pipeline")
    pipeline = _compiled(root, given, untrusted=settings.untrusted)
    if stage not in pipeline.by_name:
        meant = None if stage == LAST or RUN_ID.fullmatch(stage) else did_you_mean(stage, list(pipeline.by_name))
        hint = f"did you mean `{meant}`?" if meant else f"for a stage of a recorded run: `dockercise shell {stage} STAGE`"
        raise UsageError(f"the pipeline has no stage `{stage}`", hint)
    return as_now(pipeline, stage, root, open_objects(settings.results, settings), _note, trusted=not settings.untrusted)


def _compiled(root: Path, given: Mapping[str, str], *, untrusted: bool) -> Pipeline:
    from dockercise_prefect.compiler import compile_folder
    from dockercise_prefect.pipeline import bound

    with chosen_packages(offline=False, untrusted=untrusted) as packages:
        compiled = compile_folder(root, packages=packages, parameters=given)
    for line in finding_lines(compiled.warnings):
        _note(line)
    return bound(compiled.pipeline)


def _note(text: str) -> None:
    click.echo(text, err=True)
